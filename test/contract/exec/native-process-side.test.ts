import { handMadeDriver } from './hand-made-driver.ts';
import { withReusedShimPid } from './shim-of.ts';
import { describeExecDriver } from './suite.ts';

describeExecDriver('native, hand-made programs', { create: handMadeDriver, staleState: withReusedShimPid });
