import { createNativeDriver } from '../../../src/drivers/exec/native/native-driver.ts';
import { SHIM_BINARY } from './hand-made.ts';
import { describeExecDriver } from './suite.ts';

const clock = { now: () => ({ wallMs: Date.now(), bootMs: performance.now() }) };

describeExecDriver('native', (instance) => createNativeDriver({ instance, clock, shimBinary: SHIM_BINARY }));
