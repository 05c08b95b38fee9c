/** The abilities of this host for containers, as in `docker info`. */
import { existsSync, readFileSync } from 'node:fs';
import type { HostAbilities } from '../../api/supervisor.ts';
import type { ExecDriver } from '../../drivers/contract/exec.ts';

function isOn(path: string, value: string): boolean {
  return existsSync(path) && readFileSync(path, 'utf8').trim() === value;
}

export function hostAbilities(exec: Pick<ExecDriver, 'memoryLimits'>): HostAbilities {
  const { memory, swap } = exec.memoryLimits();
  return {
    memoryLimit: memory,
    swapLimit: swap,
    ipv4Forwarding: isOn('/proc/sys/net/ipv4/ip_forward', '1'),
    appArmor: isOn('/sys/module/apparmor/parameters/enabled', 'Y'),
  };
}

/** Features of the host that a user may rely on and that it lacks. */
export function abilityWarnings({ memoryLimit, swapLimit, ipv4Forwarding }: HostAbilities): string[] {
  return [
    ...(memoryLimit ? [] : ['no memory limit support: a container with resources.memory is not started']),
    ...(memoryLimit && !swapLimit
      ? ['no swap limit support: a container with resources.memorySwap is not started']
      : []),
    ...(ipv4Forwarding
      ? []
      : ['IPv4 forwarding is off: containers do not reach other hosts, and other hosts not their ports']),
  ];
}
