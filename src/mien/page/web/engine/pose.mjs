// @ts-check
/** Which way a face is turned, from its five landmarks; mien/head_pose.py. */

/** @typedef {import("../types.mjs").Pose} PoseNumbers */
/** @typedef {[number, number, number]} Vector */
/** @typedef {{roll_deg: number, yaw_deg: number, pitch_deg: number}} Angles */

const MOST_STEPS = 60;
/** Radians below which a step changes nothing any more. */
const SMALLEST_STEP = 1e-8;
/** How much of the diagonal is added: first, least, and where the search gives up. */
const [FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING] = [1e-3, 1e-12, 1e12];

/**
 * @param {[number, number][]} landmarks in pixels
 * @param {PoseNumbers} numbers
 * @returns {Angles | null} null where they are not five, or lie on one spot
 */
export function headPose(landmarks, numbers) {
  if (landmarks.length !== numbers.model_mm.length) return null;
  const points = centered(numbers.model_mm);
  const found = centered(landmarks);
  const size = norm(found);
  if (!(size > 0) || !Number.isFinite(size)) return null;
  const flat = points.map(([x, y]) => [x, y]);
  let [along, across] = [0, 0];
  flat.forEach(([x, y], index) => {
    along += x * found[index][0] + y * found[index][1];
    across += x * found[index][1] - y * found[index][0];
  });
  const turn = Math.atan2(across, along);
  const scale = norm(flat) / size;
  const [cosine, sine] = [Math.cos(turn), Math.sin(turn)];
  const upright = found.map(([x, y]) => [
    scale * (cosine * x + sine * y),
    scale * (cosine * y - sine * x),
  ]);
  const rotation = rotationOnto(points, upright, numbers.distance_mm);
  const aboutZ = [[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]];
  const angles = anglesOf(product(aboutZ, rotation));
  return Object.values(angles).every(Number.isFinite) ? angles : null;
}

/**
 * The rotation with which points of a head, seen from a distance, come closest to those found:
 * least squares by Levenberg and Marquardt's method.
 * @param {number[][]} points in mm
 * @param {number[][]} upright where they are seen, in mm at the distance of the head
 * @param {number} distance in mm
 */
function rotationOnto(points, upright, distance) {
  let rotation = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  let shift = [0, 0, distance];
  let now = projected(points, upright, rotation, shift, distance);
  let damping = FIRST_DAMPING;
  for (let step = 0; step < MOST_STEPS; step++) {
    const { matrix, vector } = normalEquations(now, distance);
    let better = null;
    let change = vector;
    while (!better) {
      const damped = matrix.map((row, k) => row.map((value, l) => (k === l ? value * (1 + damping) : value)));
      change = solved(damped, vector);
      const turned = product(rotationAbout(change.slice(0, 3)), rotation);
      const moved = shift.map((value, k) => value + change[3 + k]);
      const next = projected(points, upright, turned, moved, distance);
      if (next.error <= now.error) better = { turned, moved, next };
      else damping *= 10;
      if (damping > MOST_DAMPING || Number.isNaN(next.error)) return rotation;
    }
    [rotation, shift, now] = [better.turned, better.moved, better.next];
    damping = Math.max(damping / 10, LEAST_DAMPING);
    if (Math.max(...change.slice(0, 3).map(Math.abs)) < SMALLEST_STEP) break;
  }
  return rotation;
}

/**
 * Points as they are seen, and by how much they are off.
 * @param {number[][]} points
 * @param {number[][]} upright
 * @param {number[][]} rotation
 * @param {number[]} shift
 * @param {number} distance
 */
function projected(points, upright, rotation, shift, distance) {
  let error = 0;
  const rows = points.map((point, index) => {
    const turned = rotation.map((row) => dot(row, point));
    const [x, y, z] = turned.map((value, k) => value + shift[k]);
    const off = [(distance * x) / z - upright[index][0], (distance * y) / z - upright[index][1]];
    error += dot(off, off);
    return { turned, x, y, z, off };
  });
  return { rows, error };
}

/**
 * J'J and -J'r of the projection: three parameters turn the head, three move it.
 * @param {ReturnType<typeof projected>} now
 * @param {number} distance
 */
function normalEquations({ rows }, distance) {
  const matrix = Array.from({ length: 6 }, () => Array(6).fill(0));
  const vector = Array(6).fill(0);
  for (const { turned, x, y, z, off } of rows) {
    const [a, b, c] = turned;
    const scale = distance / z;
    // How the point moves, in space, with each parameter.
    const moves = [[0, -c, b], [c, 0, -a], [-b, a, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]];
    const slopes = moves.map(([dx, dy, dz]) => [
      scale * (dx - (x / z) * dz),
      scale * (dy - (y / z) * dz),
    ]);
    slopes.forEach((slope, k) => {
      vector[k] -= dot(slope, off);
      slopes.forEach((other, l) => {
        matrix[k][l] += dot(slope, other);
      });
    });
  }
  return { matrix, vector };
}

/**
 * Solves linear equations by elimination with row pivots.
 * @param {number[][]} matrix
 * @param {number[]} vector
 */
function solved(matrix, vector) {
  const size = vector.length;
  const rows = matrix.map((row, k) => [...row, vector[k]]);
  for (let k = 0; k < size; k++) {
    let pivot = k;
    for (let r = k + 1; r < size; r++) if (Math.abs(rows[r][k]) > Math.abs(rows[pivot][k])) pivot = r;
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    for (let r = k + 1; r < size; r++) {
      const factor = rows[r][k] / rows[k][k];
      for (let c = k; c <= size; c++) rows[r][c] -= factor * rows[k][c];
    }
  }
  const result = Array(size).fill(0);
  for (let k = size - 1; k >= 0; k--) {
    let rest = rows[k][size];
    for (let c = k + 1; c < size; c++) rest -= rows[k][c] * result[c];
    result[k] = rest / rows[k][k];
  }
  return result;
}

/**
 * The rotation about a vector by its length in radians (Rodrigues' formula).
 * @param {number[]} vector
 */
function rotationAbout(vector) {
  const angle = Math.hypot(...vector);
  if (angle < 1e-300) return [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  const [x, y, z] = vector.map((value) => value / angle);
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  const rest = 1 - cosine;
  return [
    [cosine + x * x * rest, x * y * rest - z * sine, x * z * rest + y * sine],
    [y * x * rest + z * sine, cosine + y * y * rest, y * z * rest - x * sine],
    [z * x * rest - y * sine, z * y * rest + x * sine, cosine + z * z * rest],
  ];
}

/** @param {number[][]} rotation */
function anglesOf(rotation) {
  const degrees = (/** @type {number} */ radians) => (radians * 180) / Math.PI;
  return {
    roll_deg: degrees(Math.atan2(rotation[1][0], rotation[0][0])),
    yaw_deg: degrees(Math.asin(Math.min(1, Math.max(-1, rotation[2][0])))),
    pitch_deg: -degrees(Math.atan2(rotation[2][1], rotation[2][2])),
  };
}

/**
 * Points less their mean.
 * @param {number[][]} points
 */
function centered(points) {
  const middle = points[0].map((_, k) => points.reduce((sum, point) => sum + point[k], 0) / points.length);
  return points.map((point) => point.map((value, k) => value - middle[k]));
}

/** @param {number[][]} points */
function norm(points) {
  return Math.sqrt(points.reduce((sum, point) => sum + dot(point, point), 0));
}

/**
 * @param {number[]} one
 * @param {number[]} other
 */
function dot(one, other) {
  return one.reduce((sum, value, k) => sum + value * other[k], 0);
}

/**
 * @param {number[][]} one
 * @param {number[][]} other
 */
function product(one, other) {
  return one.map((row) => other[0].map((_, column) => row.reduce((sum, value, k) => sum + value * other[k][column], 0)));
}
