import type { ExecDriver } from '../../../src/drivers/contract/exec.ts';
import { createNativeDriver } from '../../../src/drivers/exec/native/native-driver.ts';
import type { CreateExecDriver } from '../../../src/drivers/exec/open.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';
import { ALL_CAPABILITIES } from './suite.ts';

export const PARTIAL_CAPABILITIES: ExecDriver['capabilities'] = { ...ALL_CAPABILITIES, exec: false, pause: false };

/** An exec driver of the tests: the native one, without sessions and pauses. */
export const createPartialDriver: CreateExecDriver = (context) => {
  const native = createNativeDriver(context);
  const lacks = (): Promise<never> => Promise.reject(new TsdError('TSD_DRIVER_LACKS', 'the partial driver lacks this'));
  const replaced: Partial<ExecDriver> = {
    name: 'partial',
    capabilities: PARTIAL_CAPABILITIES,
    exec: lacks,
    pause: lacks,
    unpause: lacks,
  };
  return new Proxy(native, {
    get: (target, name) => {
      if (Object.hasOwn(replaced, name)) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
};
