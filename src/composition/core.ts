/** Before the first step: the engine and the registries that all parts use. Nothing is open yet. */
import { Engine } from '../engine/engine.ts';
import { systemTurns } from '../engine/loop-turns.ts';
import { systemTimers } from '../engine/timers.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import type { Logger } from '../supervisor/log.ts';
import { LoopPauses } from '../supervisor/loop-pauses.ts';
import { Wires } from './wires.ts';

export interface Core {
  readonly log: Logger;
  readonly engine: Engine;
  readonly loopPauses: LoopPauses;
  readonly wires: Wires;
}

export function createCore(log: Logger): Core {
  const wires = new Wires();
  const engine = new Engine({
    clock: systemClock,
    timers: systemTimers,
    log: (line) => log.debug(line),
    onEnd: (job) => wires.emit('jobEnded', job),
  });
  const loopPauses = new LoopPauses({
    clock: systemClock,
    timers: systemTimers,
    turns: systemTurns,
    running: () => engine.running(),
  });
  wires.on('jobEnded', (job) => loopPauses.ended(String(job)));
  return { log, engine, loopPauses, wires };
}
