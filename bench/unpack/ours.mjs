/** tsdocker's part of the bench in a process of its own, for its memory: `pull NAME ROOT` or `load FILE ROOT`. Prints JSON. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createOverlayDriver } from '../../dist/drivers/graph/overlay/overlay-driver.js';
import { AuthFile } from '../../dist/images/registry/auth-file.js';
import { INSECURE_BY_DEFAULT } from '../../dist/images/registry/endpoints.js';
import { Registry } from '../../dist/images/registry/registry.js';
import { loadArchive } from '../../dist/images/sources/archive.js';
import { TrustPolicyFile } from '../../dist/images/trust/policy.js';
import { parseImageReference } from '../../dist/model/image-reference.js';

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
