// Serves on the sockets that were handed over and prints the flags of the first: run by sockets.test.ts.
import { readFileSync } from 'node:fs';
import { serveApi } from '../../../src/api/server.ts';

await serveApi({
  api: () => ({ version: () => ({ version: '0.1.0' }) }),
  hosts: ['fd://'],
  group: null,
  onBug: () => undefined,
});
process.stdout.write(readFileSync('/proc/self/fdinfo/3', 'utf8'));
