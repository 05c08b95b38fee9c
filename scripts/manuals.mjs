/**
 * Writes build/man/ and build/completions/, which packages carry: a manual page for the program and for each command, and
 * a completion for each shell. `npm run manuals`; scripts/package-deb.mjs and `npm pack` run it.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '../src/api/version.ts';
import { CliContext } from '../src/cli/context.ts';
import { bashCompletion, fishCompletion, shapeOf, zshCompletion } from '../src/cli/output/completion.ts';
import { declaredCommands } from '../src/cli/program.ts';
import { manPages } from './docs/man-pages.mjs';

const commands = declaredCommands(
  new CliContext({ stdout: { write() {} }, stderr: { write() {} }, env: {}, cwd: '/' }),
);
const shape = shapeOf(commands);

/** The directory holds these files alone afterwards: no page of a command that there is no more. */
function writeAll(directory, files) {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
}

writeAll('build/man', manPages(VERSION, commands));
writeAll('build/completions', {
  'tsdocker.bash': bashCompletion(shape),
  _tsdocker: zshCompletion(shape),
  'tsdocker.fish': fishCompletion(shape),
});
