import type { ExecDriver } from '../../../src/drivers/contract/exec.ts';
import { createNativeDriver } from '../../../src/drivers/exec/native/native-driver.ts';
import type { CreateExecDriver } from '../../../src/drivers/exec/open.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';
import { ALL_CAPABILITIES } from './suite.ts';

type Feature = keyof ExecDriver['capabilities'];

function lacks(): never {
  throw new TsdError('TSD_DRIVER_LACKS', 'the partial driver lacks this');
}
const rejects = async (): Promise<never> => lacks();

const WITHOUT: Readonly<Record<Feature, Partial<ExecDriver>>> = {
  exec: { exec: rejects },
  attach: { attach: rejects },
  pause: { pause: rejects, unpause: rejects },
  limits: { updateResources: lacks },
};

export function capabilitiesWithout(features: readonly Feature[]): ExecDriver['capabilities'] {
  return { ...ALL_CAPABILITIES, ...Object.fromEntries(features.map((feature) => [feature, false])) };
}

/** An exec driver of the tests: the native one, without the features named. */
export function driverWithout(...features: readonly Feature[]): CreateExecDriver {
  return (context) => {
    const native = createNativeDriver(context);
    const replaced: Partial<ExecDriver> = Object.assign(
      { name: 'partial', capabilities: capabilitiesWithout(features) },
      ...features.map((feature) => WITHOUT[feature]),
    );
    return new Proxy(native, {
      get: (target, name) => {
        if (Object.hasOwn(replaced, name)) return Reflect.get(replaced, name);
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
}
