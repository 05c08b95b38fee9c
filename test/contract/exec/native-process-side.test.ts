import { handMadeDriver } from './hand-made-driver.ts';
import { describeExecDriver } from './suite.ts';

describeExecDriver('native, hand-made programs', handMadeDriver);
