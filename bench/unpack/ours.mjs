/** tsdocker's part of the bench in a process of its own, for its memory: `pull NAME ROOT` or `load FILE ROOT`. Prints JSON. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AuthFile,
  createOverlayDriver,
  INSECURE_BY_DEFAULT,
  loadArchive,
  parseImageReference,
  Registry,
  TrustPolicyFile,
} from '../../dist/bench/product.js';

const [verb, what, root] = process.argv.slice(2);
mkdirSync(root, { recursive: true });
const context = {
  graph: createOverlayDriver(root),
  tmpDir: join(root, 'tmp'),
  recipes: join(root, 'recipes'),
  progress: () => {},
};
const registry = new Registry({
  settings: { mirrors: [], insecure: INSECURE_BY_DEFAULT, certificates: [] },
  downloads: join(root, 'downloads'),
  records: join(root, 'distribution'),
  logins: new AuthFile(join(root, 'config.json')),
  policy: new TrustPolicyFile(null, true),
  clock: { now: () => ({ bootMs: 0, wallMs: Date.now() }) },
});
const asked = { credentials: null, platform: null, signal: new AbortController().signal };

const start = performance.now();
const image =
  verb === 'pull'
    ? await registry.pull(parseImageReference(what).value, asked, context)
    : await loadArchive({ type: 'archive', path: what }, context);
const seconds = (performance.now() - start) / 1000;
const peakMiB = Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ seconds, peakMiB, cpu: (user + system) / 1e6, layers: image.layers.length }));
