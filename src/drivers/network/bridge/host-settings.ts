import { TsdError } from '../../../model/errors/errors.ts';
import type { OriginalSettings } from '../../contract/driver.ts';
import { readSetting, writeSetting } from '../sysctl.ts';
import type { BridgeNetwork } from './network-options.ts';

/** Whether the host passes packets on. */
export const FORWARDING = { ipv4: 'ipv4/ip_forward', ipv6: 'ipv6/conf/all/forwarding' } as const;

/** What we set of an interface of ours. */
const OF_BRIDGE = ['ipv4 route_localnet', 'ipv6 disable_ipv6', 'ipv6 accept_ra', 'ipv6 autoconf'] as const;

function pathOf(bridge: string, setting: (typeof OF_BRIDGE)[number]): string {
  const [family, name] = setting.split(' ');
  return `${family}/conf/${bridge}/${name}`;
}

const acceptsAdvertisements = (name: string): string => `ipv6/conf/${name}/accept_ra`;

/** Settings of the host that we change, and what they were before. */
export class HostSettings {
  readonly #originals: OriginalSettings;

  constructor(originals: OriginalSettings) {
    this.#originals = originals;
  }

  /** The value it had is written down before it has another. @throws TsdError TSD_NETWORK when it cannot be changed. */
  change(path: string, value: string): void {
    const before = readSetting(path);
    if (before === value) return;
    // One that was written down by a supervisor that was killed right then is still the original.
    if (before !== null && this.#originals.get(path) === null) this.#note(path, before);
    writeSetting(path, value);
  }

  /** A full disk keeps no container from its network: this process knows the value, and interfaces have a default. */
  #note(path: string, original: string | null): void {
    try {
      this.#originals.set(path, original);
    } catch (error) {
      if (!(error instanceof TsdError) || error.code !== 'TSD_DISK_FULL') throw error;
    }
  }

  /**
   * route_localnet lets ports published on 127.0.0.1 reach the bridge; the rules keep containers out of 127/8.
   * A container cannot make itself the host's router by advertisements: where the network has no IPv6 the bridge has none.
   */
  changeBridge({ bridge, ipv6 }: Pick<BridgeNetwork, 'bridge' | 'ipv6'>): void {
    this.change(pathOf(bridge, 'ipv4 route_localnet'), '1');
    const isOff = pathOf(bridge, 'ipv6 disable_ipv6');
    if (readSetting(isOff) === null) return;
    this.change(isOff, ipv6 === null ? '1' : '0');
    if (ipv6 === null) return;
    this.change(pathOf(bridge, 'ipv6 accept_ra'), '0');
    this.change(pathOf(bridge, 'ipv6 autoconf'), '0');
  }

  /**
   * A router takes no routes from advertisements: the kernel removes the ones the host has at once, unless an interface is set
   * to take them all the same (accept_ra 2). One without such a route yet may get it later, when its network comes up.
   * @param names of interfaces of the host that are no ports of a bridge
   */
  forwardIpv6(names: readonly string[]): void {
    const isOn = readSetting(FORWARDING.ipv6) === '1';
    if (isOn && !this.hasChanged(FORWARDING.ipv6)) return;
    for (const name of names) {
      // Those without IPv6, as bridges of other instances may be, listen to none.
      if (readSetting(`ipv6/conf/${name}/disable_ipv6`) === '1') continue;
      const path = acceptsAdvertisements(name);
      if (readSetting(path) === '1') this.change(path, '2');
    }
    this.change(FORWARDING.ipv6, '1');
  }

  /** @param names as for {@link forwardIpv6} */
  restoreIpv6Forwarding(names: readonly string[]): void {
    this.restore(FORWARDING.ipv6);
    for (const path of names.map(acceptsAdvertisements)) this.restore(path);
  }

  /** The interface is a new one, whatever one of that name had. */
  forgetBridge(bridge: string): void {
    for (const setting of OF_BRIDGE) this.#note(pathOf(bridge, setting), null);
  }

  /** What an earlier version changed without writing it down goes to what new interfaces have. */
  restoreBridge(bridge: string): void {
    for (const setting of OF_BRIDGE) {
      const path = pathOf(bridge, setting);
      if (readSetting(path) === null) continue;
      this.#putBack(path, this.#originals.get(path) ?? readSetting(pathOf('default', setting)));
    }
  }

  /** Whether we changed it, and it was another value before. */
  hasChanged(path: string): boolean {
    return this.#originals.get(path) !== null;
  }

  restore(path: string): void {
    this.#putBack(path, this.#originals.get(path));
  }

  #putBack(path: string, original: string | null): void {
    // The kernel has none of IPv6 for an interface with an MTU below 1280.
    if (original !== null && readSetting(path) !== null) writeSetting(path, original);
    this.#note(path, null);
  }
}
