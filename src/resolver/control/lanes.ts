/** Connections by which descriptors come and go. */
import { closeSync } from 'node:fs';
import { acceptWaiting, receiveDescriptors, sendDescriptors } from '../../ffi/sockets/descriptors.ts';
import { peerUidOf } from '../../ffi/sockets/peer.ts';
import { LANE_PACKET_BYTES, parcelLabel } from '../protocol.ts';
import { RefusedRequest } from './refused-request.ts';

export class Lane {
  readonly #fd: number;
  #sent = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The descriptors of a parcel; those of others that come before it are of requests that were given up. */
  take(parcel: number): readonly number[] {
    const wanted = parcelLabel(parcel);
    for (let received = this.#receive(); received !== null; received = this.#receive()) {
      if (received.bytes.equals(wanted)) return received.descriptors;
      for (const fd of received.descriptors) closeSync(fd);
      if (received.bytes.length === 0) break;
    }
    throw new RefusedRequest('no-parcel', `parcel ${parcel} is not there`);
  }

  /** Sends a parcel. @returns its number */
  send(fds: readonly number[]): number {
    const parcel = this.#sent + 1;
    if (!sendDescriptors(this.#fd, parcelLabel(parcel), fds)) {
      throw new RefusedRequest('full', 'parcels wait to be taken');
    }
    this.#sent = parcel;
    return parcel;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #receive() {
    try {
      return receiveDescriptors(this.#fd, LANE_PACKET_BYTES);
    } catch (error) {
      throw new RefusedRequest('full', (error as Error).message);
    }
  }
}

/**
 * The lane of that name, whose supervisor has connected it before it said the name. Others that wait are closed.
 * @param listener of type `packets`
 */
export function acceptLane(listener: number, name: string, mayCommand: (uid: number | null) => boolean): Lane {
  let found: number | null = null;
  for (let fd = acceptWaiting(listener); fd !== null; fd = acceptWaiting(listener)) {
    if (found === null && mayCommand(peerUidOf(fd)) && nameOf(fd) === name) found = fd;
    else closeSync(fd);
  }
  if (found !== null) return new Lane(found);
  throw new RefusedRequest('no-parcel', 'no lane of that name is connected');
}

function nameOf(fd: number): string | null {
  try {
    const received = receiveDescriptors(fd, LANE_PACKET_BYTES);
    for (const descriptor of received?.descriptors ?? []) closeSync(descriptor);
    return received?.bytes.toString() ?? null;
  } catch {
    return null;
  }
}
