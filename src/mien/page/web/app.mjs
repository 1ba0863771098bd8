// @ts-check
/** The page: what there is, where the work is done, and the three things to do. */

import { Camera } from "./camera.mjs";
import { byId, tell } from "./dom.mjs";
import { BrowserPlace } from "./local.mjs";
import { Photos } from "./photos.mjs";
import { ServerPlace } from "./server.mjs";
import { Video } from "./video.mjs";
import { Told, WRONG_TOKEN, noBrowserMode } from "./words.mjs";

/** @typedef {import("./types.mjs").Numbers} Numbers */
/** @typedef {import("./types.mjs").Start} Start */
/** @typedef {import("./live.mjs").Place} Place */

const where = byId("where", HTMLElement);
const loading = byId("loading", HTMLElement);
const TABS = ["camera", "photos", "video"];
/** For files of which the browser does not know the type. */
const FILM = /\.(mp4|m4v|mov|mkv|webm|avi)$/i;

/**
 * @param {string} name
 * @param {string} token
 */
async function json(name, token = "") {
  const headers = token ? { Authorization: `Bearer ${token}` } : undefined;
  const answer = await fetch(new URL(name, import.meta.url), { headers });
  if (!answer.ok) throw new Told(answer.status === 401 ? WRONG_TOKEN : `${name}: ${answer.status}`);
  return answer.json();
}

/**
 * Asks for the token of the service.
 * @returns {Promise<[string, Numbers]>}
 */
function askToken() {
  const place = byId("token", HTMLElement);
  const value = byId("token-value", HTMLInputElement);
  const error = byId("token-error", HTMLElement);
  place.hidden = false;
  where.textContent = "Waiting for the token.";
  value.focus();
  return new Promise((resolve) => {
    const use = async () => {
      const token = value.value.trim();
      if (!token) return;
      try {
        const numbers = await json("model.json", token);
        place.hidden = true;
        resolve([token, numbers]);
      } catch (failure) {
        tell(error, failure instanceof Told ? failure.message : String(failure));
      }
    };
    byId("token-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      use();
    });
  });
}

/**
 * Tabs, with arrow keys.
 * @param {(name: string) => void} onShown
 */
function addTabs(onShown) {
  const tabs = TABS.map((name) => byId(`tab-${name}`, HTMLButtonElement));
  const select = (/** @type {number} */ chosen, focus = true) => {
    tabs.forEach((tab, index) => {
      const isChosen = index === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      byId(`panel-${TABS[index]}`, HTMLElement).hidden = !isChosen;
    });
    if (focus) tabs[chosen].focus();
    onShown(TABS[chosen]);
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => select(index));
    tab.addEventListener("keydown", (event) => {
      /** @type {Record<string, number>} */
      const moves = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: tabs.length - 1 };
      if (!(event.key in moves)) return;
      event.preventDefault();
      select((moves[event.key] + tabs.length) % tabs.length);
    });
  });
  return (/** @type {string} */ name) => select(TABS.indexOf(name), false);
}

/**
 * Files come from anywhere on the page.
 * @param {(files: File[]) => void} take
 */
function addDrop(take) {
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.add("dragging");
    });
  }
  for (const kind of ["dragleave", "drop"]) {
    document.addEventListener(kind, () => document.body.classList.remove("dragging"));
  }
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length) take(files);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
}

async function begin() {
  /** @type {Start} */
  const start = await json("start.json");
  byId("about", HTMLElement).textContent = `mien ${start.mien}`;
  /** @type {[string, Numbers]} */
  const [token, numbers] = start.token ? await askToken() : ["", await json("model.json")];
  byId("about", HTMLElement).textContent =
    `mien ${start.mien}, model ${numbers.model.name}. ${numbers.model.licence}.`;
  const browser = new BrowserPlace(numbers, token, start.server);
  const server = start.server ? new ServerPlace(start, token) : null;
  /** @type {Place} */
  let place = start.browser && server ? server : browser;
  const here = () => place;
  const photos = new Photos(numbers, here);
  const camera = new Camera(numbers, here, takePhotos);
  const video = new Video(numbers, here);
  const showTab = addTabs((name) => {
    if (name !== "video") video.pause();
  });

  /** @param {File[]} files */
  function takePhotos(files) {
    showTab("photos");
    photos.add(files);
  }

  addDrop((files) => {
    const films = files.filter(
      (file) => file.type.startsWith("video/") || (!file.type && FILM.test(file.name)),
    );
    if (films.length) {
      showTab("video");
      video.open(films[0], files.filter((file) => file !== films[0]));
    } else {
      takePhotos(files);
    }
  });

  const choices = [...document.querySelectorAll('input[name="place"]')].filter(
    (choice) => choice instanceof HTMLInputElement,
  );
  if (server) byId("server-name", HTMLElement).textContent = `On ${server.host}`;
  else byId("places", HTMLElement).hidden = true;
  byId("work", HTMLElement).hidden = false;

  let why = start.browser && noBrowserMode(start.browser);
  /** @param {Place} chosen */
  async function use(chosen) {
    place = chosen;
    document.documentElement.dataset.place = chosen.isBrowser ? "browser" : "server";
    document.documentElement.dataset.state = "loading";
    where.textContent = chosen.words;
    loading.textContent = "";
    for (const choice of choices) {
      choice.checked = (choice.value === "browser") === chosen.isBrowser;
      choice.disabled = !server || (choice.value === "browser" && Boolean(why));
    }
    browser.onProgress = (bytes) => {
      if (place === browser) loading.textContent = `Loading: ${(bytes / 1e6).toFixed(1)} MB`;
    };
    try {
      await chosen.load();
      if (place !== chosen) return;
      loading.textContent = chosen.isBrowser || !why ? "" : why;
      document.documentElement.dataset.state = "ready";
      if (camera.isOn) camera.go();
    } catch (error) {
      why = error instanceof Told ? error.message : String(error);
      if (place === chosen && server) await use(server);
      else if (place === chosen) {
        loading.textContent = why;
        document.documentElement.dataset.state = "failed";
      }
    }
  }
  for (const choice of choices) {
    choice.addEventListener("change", () => {
      if (choice.checked) use(choice.value === "server" && server ? server : browser);
    });
  }
  await use(place);
}

begin().catch((error) => {
  where.textContent = error instanceof Told ? error.message : "The page could not be loaded.";
  document.documentElement.dataset.state = "failed";
});
