import { handMadeDriver } from './hand-made-driver.ts';
import { withReusedShimPid } from './shim-of.ts';
import { ALL_CAPABILITIES, describeExecDriver } from './suite.ts';

describeExecDriver('native, hand-made programs', {
  create: handMadeDriver,
  capabilities: ALL_CAPABILITIES,
  staleState: withReusedShimPid,
});
