/** A supervisor to be killed: starts the container whose specification it reads, says so, and waits. */
import { readFileSync } from 'node:fs';
import { handMadeDriver } from './hand-made-driver.ts';

const [instance, spec] = JSON.parse(readFileSync(0, 'utf8'));
const handle = await handMadeDriver(instance).start(spec);
console.log(JSON.stringify(handle));
setInterval(() => {}, 1000);
