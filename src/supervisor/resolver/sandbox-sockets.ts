/** The sockets of sandboxes on their way to the resolver, and which sandboxes it answers in. */

import { isIPv6 } from 'node:net';
import { constants } from 'node:os';
import type { Networks, Sandbox } from '../../drivers/contract/network.ts';
import { describeError, toTsdError } from '../../model/errors/errors.ts';
import type { Forwarding, SocketRole } from '../../resolver/protocol.ts';
import { closeSockets, type RoleSocket } from './resolver-link.ts';

/** As many as 1,024 questions at a time need, of protocol.ts. */
const DIALS = { udp: 8, tcp: 4 } as const;

export interface SandboxSocketsParts {
  readonly network: Pick<Networks, 'sandbox' | 'openNameSockets' | 'openSocket'>;
  /** Whether the resolver may have sockets of a container already. */
  readonly mayBeHeld: (id: string) => boolean;
}

export class SandboxSockets {
  readonly #parts: SandboxSocketsParts;
  /** In which namespace a container's names are answered, or will be. */
  readonly #answered = new Map<string, Sandbox>();
  /** From which namespace its questions go on, and by which sockets. */
  readonly #dialling = new Map<string, { readonly sandbox: Sandbox; readonly roles: string }>();
  #ready = new Map<string, readonly RoleSocket[]>();
  readonly #problems = new Map<string, string>();

  constructor(parts: SandboxSocketsParts) {
    this.#parts = parts;
  }

  /** Why a container's names are not answered; null where they are. */
  problem(id: string): string | null {
    return this.#problems.get(id) ?? null;
  }

  /** Opens those at which a container asks, where that has not been done. False where it cannot be done. */
  open(id: string): boolean {
    const { network, mayBeHeld } = this.#parts;
    const sandbox = network.sandbox(id);
    if (sandbox === null) return false;
    if (this.#answered.get(id) === sandbox) return true;
    try {
      const { udp, tcp } = network.openNameSockets(id);
      this.#replaceReady(id, [
        { role: 'udp', fd: udp },
        { role: 'tcp', fd: tcp },
      ]);
    } catch (thrown) {
      const error = toTsdError(thrown);
      if (error.errno !== constants.errno.EADDRINUSE || !mayBeHeld(id)) {
        this.#problems.set(id, describeError(error));
        return false;
      }
    }
    this.#answered.set(id, sandbox);
    this.#problems.delete(id);
    return true;
  }

  /** Opens those by which questions go on from inside, where there are such servers. */
  dial(id: string, forwarding: Forwarding): void {
    const sandbox = this.#parts.network.sandbox(id);
    const roles = dialRoles(forwarding);
    if (sandbox === null || roles.length === 0) return;
    const before = this.#dialling.get(id);
    if (before?.sandbox === sandbox && before.roles === roles.join()) return;
    const opened: RoleSocket[] = [];
    try {
      for (const role of roles) opened.push({ role, fd: this.#unbound(id, role) });
    } catch (thrown) {
      closeSockets(opened);
      this.#problems.set(id, describeError(toTsdError(thrown)));
      return;
    }
    this.#dialling.set(id, { sandbox, roles: roles.join() });
    this.#ready.set(id, [...(this.#ready.get(id) ?? []), ...opened]);
  }

  /** Those that the resolver is to be given; they are the caller's. */
  takeReady(): ReadonlyMap<string, readonly RoleSocket[]> {
    const ready = this.#ready;
    this.#ready = new Map();
    return ready;
  }

  /** It was not given what was opened. */
  failed(id: string, problem: string): void {
    this.forget(id);
    this.#problems.set(id, problem);
  }

  /** A container is not answered any more. */
  forget(id: string): void {
    closeSockets(this.#ready.get(id) ?? []);
    this.#ready.delete(id);
    this.#answered.delete(id);
    this.#dialling.delete(id);
    this.#problems.delete(id);
  }

  /** The resolver is gone with all that it had. */
  lost(): void {
    for (const sockets of this.takeReady().values()) closeSockets(sockets);
    this.#answered.clear();
    this.#dialling.clear();
  }

  #replaceReady(id: string, sockets: readonly RoleSocket[]): void {
    const before = this.#ready.get(id) ?? [];
    const replaced = (role: SocketRole) => sockets.some((socket) => socket.role === role);
    closeSockets(before.filter(({ role }) => replaced(role)));
    this.#ready.set(id, [...before.filter(({ role }) => !replaced(role)), ...sockets]);
  }

  #unbound(id: string, role: SocketRole): number {
    const protocol = role.startsWith('dial-udp') ? 'udp' : 'tcp';
    return this.#parts.network.openSocket(id, protocol, role.endsWith('6') ? 'ipv6' : 'ipv4');
  }
}

function dialRoles(forwarding: Forwarding): readonly SocketRole[] {
  if (forwarding.from !== 'inside') return [];
  const of = (version: 4 | 6): SocketRole[] => [
    ...Array.from({ length: DIALS.udp }, () => `dial-udp${version}` as const),
    ...Array.from({ length: DIALS.tcp }, () => `dial-tcp${version}` as const),
  ];
  const { servers } = forwarding;
  return [
    ...(servers.some(({ address }) => !isIPv6(address)) ? of(4) : []),
    ...(servers.some(({ address }) => isIPv6(address)) ? of(6) : []),
  ];
}
