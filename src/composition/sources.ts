/** The desired state as it was left, and how the files that it names are read. */

import { systemClock } from '../ffi/boot-clock.ts';
import type { ReadFile } from '../manifest/content.ts';
import { usersOf } from '../model/host-files.ts';
import type { PathBook } from '../reconcile/path-book.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import { copyMade, describeSettled, settleDeclarations } from '../supervisor/declarations/start.ts';
import { ImperativeResources } from '../supervisor/imperative/imperative-resources.ts';
import { restoredOverrides } from '../supervisor/imperative/overridden.ts';
import { restoredDeclarations } from '../supervisor/imperative/restored.ts';
import type { Logger } from '../supervisor/log.ts';
import type { LoopPauses } from '../supervisor/loop-pauses.ts';
import { copiesInUse } from '../supervisor/sources/copies-in-use.ts';
import { stateOfGeneration } from '../supervisor/sources/generation-record.ts';
import type { KeptContents } from '../supervisor/sources/kept-contents.ts';
import { Sources } from '../supervisor/sources/sources.ts';
import { type Gates, RefusedFiles } from './gates.ts';
import { NETWORK_DRIVERS_OF_MANIFESTS } from './network-drivers.ts';
import { freeReader } from './readers.ts';
import type { Stores } from './stores.ts';
import type { Wires } from './wires.ts';

export interface SourceParts {
  readonly config: DaemonConfig;
  readonly log: Logger;
  readonly gates: Gates;
  readonly stores: Stores;
  readonly kept: KeptContents;
  readonly paths: PathBook;
  readonly loopPauses: LoopPauses;
  readonly wires: Wires;
}

export interface OpenedSources {
  readonly imperative: ImperativeResources;
  readonly sources: Sources;
  /** Reads files that are obeyed: those of watched manifests, or of applied ones. */
  readonly settingsReader: (watched: boolean) => ReadFile;
}

/** Brings history.db and the second copies of declarations to agree first. */
export function openSources(parts: SourceParts): OpenedSources {
  const { config, log, stores, kept, paths, loopPauses, wires } = parts;
  const { history, secrets, reserve } = stores;
  const refusedFiles = new RefusedFiles(({ message, hint }) =>
    log.error({ code: 'TSD_UNTRUSTED' }, `${message}. ${hint}`),
  );
  const gates = {
    watched: refusedFiles.watched(parts.gates.own),
    applied: refusedFiles.watched(parts.gates.applied),
  };
  const settingsReader = (watched: boolean) => freeReader(paths, watched ? gates.watched : gates.applied);
  const resolve = {
    readFile: freeReader(paths),
    readerFor: (id: string) => settingsReader(id.startsWith('watched ')),
    settle: (files: readonly string[]) => paths.settle(files),
    onRead: (ms: number) => loopPauses.kept('reading manifests', ms),
    hashSecret: (bytes: Buffer) => secrets.reference(bytes.toString('latin1')),
    defaultHostIp: config.ip,
    networkDrivers: NETWORK_DRIVERS_OF_MANIFESTS,
  };
  const settled = settleDeclarations(stores, (n) => stateOfGeneration(history, resolve, n), systemClock.now().wallMs);
  if (settled !== null) log.warn(settled, describeSettled(settled));
  copyMade(stores);
  const imperative = new ImperativeResources(
    restoredDeclarations(stores),
    (keys) => wires.emit('look', keys),
    restoredOverrides(stores),
  );
  const sources = new Sources({
    beside: imperative,
    history,
    declarations: stores.declarations,
    reserve,
    clock: systemClock,
    directory: config.manifests,
    kept,
    hasImage: (imageId) => stores.images.get(imageId) !== undefined,
    copiesInUse: () => copiesInUse(stores),
    resolve,
    onIssue: ({ code, file, line, column, message, hint }, severity) =>
      log[severity === 'error' ? 'error' : 'warn'](
        { code },
        `${file}:${line}:${column}: ${message}${code === 'TSD_UNTRUSTED' ? `. ${hint}` : ''}`,
      ),
    refusedFile: (path) => refusedFiles.get(path),
    onChange: (next, before) => {
      log.info({ generation: next.generation }, 'desired state changed');
      wires.emit('desired', next, before);
    },
  });
  wires.on('file', (path) => wires.emit('look', usersOf(sources.state, path)));
  return { sources, imperative, settingsReader };
}
