/** Builds dist/ (TypeScript) and build/tsdocker-shim (C). What is there stays usable until the new one is complete. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, renameSync, rmSync } from 'node:fs';

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error) {
    console.error(`error: cannot run ${command}: ${error.message}`);
    process.exit(1);
  }
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    process.exit(status ?? 1);
  }
}

const fresh = `build/dist-${process.pid}`;
const previous = `build/previous-${process.pid}`;
run(process.execPath, ['scripts/build-shim.mjs']);
run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', fresh]);
// The browser takes these as they are.
cpSync('src/supervisor/web/page', `${fresh}/supervisor/web/page`, { recursive: true });
if (existsSync('dist')) renameSync('dist', previous);
renameSync(fresh, 'dist');
rmSync(previous, { recursive: true, force: true });
