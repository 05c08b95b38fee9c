// Builds build/tsdocker-shim with the C compiler ($CC, or cc). Does nothing when it is newer than its sources.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const shim = fileURLToPath(new URL('../shim', import.meta.url));
const made = spawnSync('make', ['--no-print-directory', '-s', '-C', shim], { stdio: 'inherit' });
if (made.error) {
  console.error(
    `cannot run make: ${made.error.message}\nInstall it with a C compiler: apt-get install make gcc linux-libc-dev`,
  );
}
process.exitCode = made.status ?? 1;
