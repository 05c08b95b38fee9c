/** The sockets of sandboxes on their way to the resolver, and which sandboxes it answers in. */

import { isIPv6 } from 'node:net';
import { constants } from 'node:os';
import type { Networks, Sandbox, UnboundSocket } from '../../drivers/contract/network.ts';
import { describeError, toTsdError } from '../../model/errors/errors.ts';
import type { Forwarding, SocketRole } from '../../resolver/protocol.ts';
import { Failures } from './failures.ts';
import { closeSockets, type RoleSocket } from './resolver-link.ts';

/** As many as 1,024 questions at a time need, of protocol.ts. */
const DIALS = { udp: 8, tcp: 4 } as const;
/** Containers whose sockets are tried again at a time. */
const RETRIES = 16;

export interface SandboxSocketsParts {
  readonly network: Pick<Networks, 'sandbox' | 'openNameSockets' | 'openSockets'>;
  /** Whether the resolver may have sockets of a container already, and which are known. */
  readonly heldRoles: (id: string) => { readonly mayBe: boolean; readonly roles: readonly SocketRole[] };
}

export class SandboxSockets {
  readonly #parts: SandboxSocketsParts;
  /** In which namespace a container's names are answered, or will be. */
  readonly #answered = new Map<string, Sandbox>();
  /** From which namespace its questions go on, and by which sockets. */
  readonly #dialling = new Map<string, { readonly sandbox: Sandbox; readonly roles: string }>();
  #ready = new Map<string, readonly RoleSocket[]>();
  readonly #unheard = new Failures();
  readonly #undialled = new Failures();

  constructor(parts: SandboxSocketsParts) {
    this.#parts = parts;
  }

  /** Why a container's names are not answered; null where they are. */
  problem(id: string): string | null {
    return this.#unheard.textOf(id) ?? this.#undialled.textOf(id);
  }

  /** Opens those at which a container asks, where that has not been done. False where it cannot be done. */
  open(id: string): boolean {
    const { network, heldRoles } = this.#parts;
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
      const held = heldRoles(id);
      if (error.errno !== constants.errno.EADDRINUSE || !held.mayBe) {
        this.#unheard.failed(id, describeError(error));
        return false;
      }
      // It is this namespace that it has sockets of, so those for servers are of it too.
      const roles = held.roles.filter((role) => role.startsWith('dial-'));
      if (roles.length > 0 && !this.#dialling.has(id)) this.#dialling.set(id, { sandbox, roles: sorted(roles) });
      this.#unheard.ended(id);
    }
    this.#answered.set(id, sandbox);
    return true;
  }

  /** Opens those by which questions go on from inside, where there are such servers. */
  dial(id: string, forwarding: Forwarding): void {
    const sandbox = this.#parts.network.sandbox(id);
    const roles = dialRoles(forwarding);
    if (sandbox === null || roles.length === 0) return;
    const before = this.#dialling.get(id);
    if (before?.sandbox === sandbox && before.roles === sorted(roles)) return;
    try {
      const fds = this.#parts.network.openSockets(id, roles.map(unbound));
      this.#replaceReady(
        id,
        roles.map((role, index) => ({ role, fd: fds[index] as number })),
      );
    } catch (thrown) {
      this.#undialled.failed(id, describeError(toTsdError(thrown)));
      return;
    }
    this.#dialling.set(id, { sandbox, roles: sorted(roles) });
  }

  /** Those that the resolver is to be given; they are the caller's. */
  takeReady(): ReadonlyMap<string, readonly RoleSocket[]> {
    const ready = this.#ready;
    this.#ready = new Map();
    return ready;
  }

  /** The resolver has them. */
  given(id: string, sockets: readonly RoleSocket[]): void {
    for (const failures of this.#failuresOf(sockets)) failures.ended(id);
  }

  /** It was not given what was opened. @returns whether it is news */
  failed(id: string, sockets: readonly RoleSocket[], problem: string): boolean {
    const failures = this.#failuresOf(sockets);
    if (failures.has(this.#unheard)) this.#answered.delete(id);
    if (failures.has(this.#undialled)) this.#dialling.delete(id);
    return [...failures].map((each) => each.failed(id, problem)).includes(true);
  }

  /** A look: whose sockets are to be tried again. */
  due(isWanted: (id: string) => boolean): ReadonlySet<string> {
    return new Set([...this.#unheard.due(RETRIES, isWanted), ...this.#undialled.due(RETRIES, isWanted)]);
  }

  /** A container is not answered any more. */
  forget(id: string): void {
    closeSockets(this.#ready.get(id) ?? []);
    this.#ready.delete(id);
    this.#answered.delete(id);
    this.#dialling.delete(id);
    this.#unheard.ended(id);
    this.#undialled.ended(id);
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

  #failuresOf(sockets: readonly RoleSocket[]): ReadonlySet<Failures> {
    return new Set(sockets.map(({ role }) => (role.startsWith('dial-') ? this.#undialled : this.#unheard)));
  }
}

const sorted = (roles: readonly SocketRole[]): string => [...roles].sort().join();

function unbound(role: SocketRole): UnboundSocket {
  return {
    protocol: role.startsWith('dial-udp') ? 'udp' : 'tcp',
    family: role.endsWith('6') ? 'ipv6' : 'ipv4',
  };
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
