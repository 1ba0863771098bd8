// @ts-check
/** Who belongs to whom at the least total cost; mien/recognition/assignment.py. */

/**
 * Pairs rows with columns, each at most once, as many as there can be.
 * @param {number[][]} costs finite
 * @returns {[number, number][]} rows in ascending order, with their columns
 */
export function cheapestPairs(costs) {
  const nRows = costs.length;
  const nColumns = nRows ? costs[0].length : 0;
  if (!nRows || !nColumns) return [];
  if (nRows > nColumns) {
    const turned = costs[0].map((_, column) => costs.map((row) => row[column]));
    return cheapestPairs(turned)
      .map(([column, row]) => /** @type {[number, number]} */ ([row, column]))
      .sort((one, other) => one[0] - other[0]);
  }
  const rowPrices = new Float64Array(nRows);
  const columnPrices = new Float64Array(nColumns);
  const columnOf = new Int32Array(nRows).fill(-1);
  const rowOf = new Int32Array(nColumns).fill(-1);
  for (let row = 0; row < nRows; row++) {
    // The cheapest path from this row to a free column, through pairs that are given up.
    const lengths = new Float64Array(nColumns).fill(Infinity);
    const before = new Int32Array(nColumns).fill(-1);
    const reached = new Uint8Array(nColumns);
    let at = row;
    let length = 0;
    let column = -1;
    for (;;) {
      for (let next = 0; next < nColumns; next++) {
        const through = length + costs[at][next] - rowPrices[at] - columnPrices[next];
        if (!reached[next] && through < lengths[next]) {
          lengths[next] = through;
          before[next] = at;
        }
      }
      column = -1;
      for (let next = 0; next < nColumns; next++) {
        if (!reached[next] && (column < 0 || lengths[next] < lengths[column])) column = next;
      }
      length = lengths[column];
      if (rowOf[column] < 0) break;
      reached[column] = 1;
      at = rowOf[column];
    }
    // Prices that keep all later paths from costing less than nothing.
    rowPrices[row] += length;
    for (let next = 0; next < nColumns; next++) {
      if (reached[next]) {
        rowPrices[rowOf[next]] += length - lengths[next];
        columnPrices[next] -= length - lengths[next];
      }
    }
    for (;;) {
      at = before[column];
      rowOf[column] = at;
      const given = columnOf[at];
      columnOf[at] = column;
      if (at === row) break;
      column = given;
    }
  }
  return Array.from(columnOf, (column, row) => /** @type {[number, number]} */ ([row, column]));
}
