/** Kernel settings of one interface in a sandbox, which a container's declaration names. */
import { inNetns } from '../../ffi/process/namespaces.ts';
import { INTERFACE_PLACEHOLDER, sysctlPath } from '../../model/kinds/sysctl-forms.ts';
import type { EndpointConfig, Sandbox } from '../contract/network.ts';
import { writeSetting } from './sysctl.ts';

/** Below /proc/sys/net, with the name of an interface. */
const placeOf = (name: string, interfaceName: string): string =>
  sysctlPath(name)
    .split('/')
    .slice(1)
    .map((part) => (part === INTERFACE_PLACEHOLDER ? interfaceName : part))
    .join('/');

/** @throws TsdError TSD_NETWORK for one that the kernel does not have, or does not take the value of. */
export function setInterface(
  { netnsFd }: Sandbox,
  { interfaceName, sysctls = {} }: Pick<EndpointConfig, 'interfaceName' | 'sysctls'>,
): void {
  const wanted = Object.entries(sysctls);
  if (wanted.length === 0) return;
  inNetns(netnsFd, () => {
    for (const [name, value] of wanted) writeSetting(placeOf(name, interfaceName), value);
  });
}
