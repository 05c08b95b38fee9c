import { TsdError } from '../../../model/errors/errors.ts';
import type { OriginalSettings } from '../../contract/driver.ts';
import { readSetting, writeSetting } from '../sysctl.ts';

/** Of an interface of ours: the setting, and what we set it to. */
const OF_BRIDGE = [
  { family: 'ipv4', name: 'route_localnet' },
  { family: 'ipv6', name: 'disable_ipv6' },
] as const;

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
   * Without IPv6 a container cannot make itself the host's router by advertisements.
   */
  changeBridge(bridge: string): void {
    for (const { family, name } of OF_BRIDGE) {
      const path = `${family}/conf/${bridge}/${name}`;
      if (family === 'ipv4' || readSetting(path) !== null) this.change(path, '1');
    }
  }

  /** The interface is a new one, whatever one of that name had. */
  forgetBridge(bridge: string): void {
    for (const { family, name } of OF_BRIDGE) this.#note(`${family}/conf/${bridge}/${name}`, null);
  }

  /** What an earlier version changed without writing it down goes to what new interfaces have. */
  restoreBridge(bridge: string): void {
    for (const { family, name } of OF_BRIDGE) {
      const path = `${family}/conf/${bridge}/${name}`;
      if (readSetting(path) === null) continue;
      this.#putBack(path, this.#originals.get(path) ?? readSetting(`${family}/conf/default/${name}`));
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
    if (original !== null) writeSetting(path, original);
    this.#note(path, null);
  }
}
