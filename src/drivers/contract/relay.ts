/** Published ports that the kernel cannot translate: sockets of the host that a relay passes on to containers. */

export interface BoundRelay {
  readonly protocol: 'tcp' | 'udp';
  /** Of the host. */
  readonly address: string;
  readonly port: number;
  /** Of a container. */
  readonly target: { readonly address: string; readonly port: number };
}

/**
 * Between drivers, which want relays and see that their sockets are bound, and the one that relays. That is a program of its
 * own: it has the sockets while no supervisor runs, and closes them a moment after they are not wanted any more. A socket
 * that it has is therefore no conflict.
 */
export interface PortRelays {
  /**
   * Wants a relay from now on.
   * @param onFailed called when it ends by itself
   * @returns 0, or the errno of bind(2) or listen(2)
   */
  open(relay: BoundRelay, onFailed: () => void): number;
  close(relay: BoundRelay): void;
  /** Those that are wanted, by key. */
  readonly wanted: ReadonlyMap<string, BoundRelay>;
  /** Another number when what is wanted or bound may be something else. */
  readonly version: number;
  /** Calls back when {@link version} changes. */
  onChange(changed: () => void): void;
  /** The socket of one that was bound here and is not relayed yet; it is the caller's. Null where there is none. */
  take(key: string): number | null;
  /** It could not be relayed: its driver learns that it is not in effect. */
  failed(key: string): void;
  /** Keys of the sockets that the program has; of those that are wanted the others are bound. */
  held(keys: Iterable<string>): void;
  /** The program has closed one. */
  released(key: string): void;
  /** The program is gone with all that it had, and none is to wait for connections that no one takes. */
  lost(): void;
  /** Binds those that are wanted, for a program that starts. */
  bind(): void;
}
