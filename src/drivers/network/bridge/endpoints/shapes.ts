/** Limits of what a container sends and receives, as queues of the two ends of its pair. Pure. */
import type { FoundDiscipline, Shape } from '../../../../ffi/network/traffic-control.ts';

/** What may pass at once, as a part of a second; and what waits longer than the other is dropped. */
const [BURST_S, WAIT_S] = [0.01, 0.025] as const;
/** The least that may pass at once: slower rates would halve a large segment into single packets. */
const LEAST_BURST = 16 * 1024;
/** The most: more would be a burst that others on the wire notice. */
const MOST_BURST = 4 * 1024 ** 2;
/** Of a frame around a packet. */
const FRAME_BYTES = 64;

/** @param bits a second. @param mtu of the interface: a packet that never fits would be dropped */
export function shapeOf(bits: number, mtu: number): Shape {
  const rate = Math.floor(bits / 8);
  const burst = Math.max(LEAST_BURST, mtu + FRAME_BYTES, Math.min(MOST_BURST, Math.round(rate * BURST_S)));
  return { rate, burst, queue: burst + Math.round(rate * WAIT_S) };
}

export const isShape = (found: FoundDiscipline, { rate, queue }: Shape): boolean =>
  found.kind === 'shaper' && found.rate === rate && found.queue === queue;
