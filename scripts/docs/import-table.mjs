/** The table of layers and the rules about single files, between two marks of ARCHITECTURE.md. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { LAYERS, describeImports, layerRules } = require('../layers.cjs');
const { forbidden } = require('../../.dependency-cruiser.cjs');

const START = '<!-- Generated from scripts/layers.cjs and .dependency-cruiser.cjs by `npm run generate`. -->';
const END = '<!-- End of what is generated. -->';

function importTable() {
  const ofLayers = new Set(layerRules().map(({ name }) => name));
  return [
    '| layer | where | job in a sentence | may import |',
    '|---|---|---|---|',
    ...LAYERS.map((layer) => `| ${layer.name} | ${layer.shown} | ${layer.job} | ${describeImports(layer)} |`),
    '',
    ...forbidden.filter(({ name }) => !ofLayers.has(name)).map(({ comment }) => `- ${comment}`),
  ].join('\n');
}

/** The text with what stands between the marks made current. Throws where a mark is missing. */
export function withImportTable(text) {
  const start = text.indexOf(START);
  const end = text.indexOf(END);
  if (start === -1 || end < start) throw new Error(`ARCHITECTURE.md lacks ${start === -1 ? START : END}`);
  return `${text.slice(0, start + START.length)}\n\n${importTable()}\n\n${text.slice(end)}`;
}
