/** Starts a shim: opens what it inherits, spawns it, and returns the supervisor's end of the control socket. */
import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { sysError } from '../../../../ffi/call/errno.ts';
import { lookupError } from '../../../../ffi/files/lookup.ts';
import { memoryFile, spawn } from '../../../../ffi/process/processes.ts';
import { listenAt, socketPair } from '../../../../ffi/sockets/sockets.ts';
import { type ErrorClass, OWN_FAILURES } from '../../../../model/errors/error-class.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import type { LogSpec } from '../../../contract/exec.ts';
import { type PreparedTask, SHIM_BINARY_FD } from '../prepared-task.ts';
import { ShimConnection } from './shim-connection.ts';
import type { Launched } from './shim-protocol.ts';

/** The shim's own descriptors, as in shim/shim.h. */
const SHIM_FD = { program: 3, control: 4, listener: 5, logDirectory: 6, recordDirectory: 7, tty: 8 } as const;

/** Connections that wait to be accepted while the payload is being launched. */
const BACKLOG = 16;

export interface LaunchOptions {
  readonly containerId: string;
  readonly task: PreparedTask;
  /** Sealed memory file with the shim's binary. */
  readonly binary: number;
  /** Master of the payload's terminal. */
  readonly terminal: number | null;
  /** What a run of a container has and an exec session has not. */
  readonly run: {
    readonly number: number;
    readonly log: LogSpec;
    readonly socket: string;
    readonly recordDirectory: string;
    /** Called when the socket is there, before anything of the payload is. */
    readonly listening: () => void;
  } | null;
}

export interface LaunchedShim {
  readonly shimPid: number;
  readonly connection: ShimConnection;
}

/** Returns when the shim runs; what becomes of its payload arrives as the `launched` event. */
export function launchShim(options: LaunchOptions): LaunchedShim {
  const { containerId, task, run } = options;
  const opened: number[] = [];
  const ours = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  const argv = ['tsdocker-shim', containerId];
  let control: number | undefined;
  try {
    const descriptors = new Map(task.inherited);
    descriptors.set(SHIM_FD.program, ours(memoryFile('tsdocker-program', task.encoded)));
    const pair = socketPair();
    control = pair.ours;
    descriptors.set(SHIM_FD.control, ours(pair.theirs));
    if (run !== null) {
      descriptors.set(SHIM_FD.listener, ours(listenAt(run.socket, BACKLOG)));
      run.listening();
      descriptors.set(SHIM_FD.logDirectory, ours(openDirectory('open the log', dirname(run.log.path))));
      descriptors.set(SHIM_FD.recordDirectory, ours(openDirectory('reserve the exit record', run.recordDirectory)));
      argv.push(`${run.number}`, basename(run.log.path), `${run.log.maxBytes}`, `${run.log.maxFiles}`);
    }
    if (options.terminal !== null) descriptors.set(SHIM_FD.tty, options.terminal);
    descriptors.set(SHIM_BINARY_FD, options.binary);
    const shimPid = spawn({ executable: options.binary, argv, descriptors });
    return { shimPid, connection: run === null ? ShimConnection.ofSession(control) : ShimConnection.ofRun(control) };
  } catch (error) {
    if (control !== undefined) closeSync(control);
    throw error;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

function openDirectory(step: string, path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (cause) {
    throw sysError('open', -((cause as NodeJS.ErrnoException).errno ?? 0), `${step} in ${path}`);
  }
}

/** The error of a launch that failed, naming the step of the program: `mount proc: EPERM`. */
export function launchError(failure: NonNullable<Launched['failure']>, task: PreparedTask): TsdError {
  const { op, errno } = failure;
  if (op === null) return ofSetup(sysError(failure.step, errno));
  const { program, sharesProgram = false } = task;
  const step = program.stepOf(op);
  const call = program.callOf(op);
  if (program.isLookup(op)) return ofSetup(lookupError(step, errno, 'launch'));
  const error = sysError(call, errno, step, 'launch');
  // What it was when it was looked at it need not be any more.
  const isOthers = sharesProgram && call.startsWith('execve') && OWN_FAILURES.has(error.class);
  return ofSetup(error, isOthers ? 'unavailable' : error.class);
}

function ofSetup(error: TsdError, errorClass: ErrorClass = error.class): TsdError {
  if (error.code !== 'TSD_SYSCALL') return error;
  const { errno, step } = error;
  return new TsdError('TSD_CONTAINER_SETUP', error.message, { class: errorClass, errno, step });
}
