import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DoctorCheck } from '../../api/views/host-views.ts';
import type { Driver, Instance, OriginalSettings } from '../../drivers/contract/driver.ts';
import { openNetworks } from '../../drivers/network/open.ts';
import { EXEC_DRIVERS, GRAPH_DRIVERS, NETWORK_DRIVERS } from '../../drivers/registry.ts';
import { systemClock } from '../../ffi/boot-clock.ts';
import { readSysinfo } from '../../ffi/host/sysinfo.ts';
import { hasNetworks, runDoctor } from '../../supervisor/doctor/doctor.ts';
import { SHIM_BINARY } from '../drivers.ts';

/** It looks only. */
const NOTHING_CHANGED: OriginalSettings = { get: () => null, set: () => {} };

/** The checks of `tsdocker doctor` without a supervisor. */
export async function localDoctor(): Promise<readonly DoctorCheck[]> {
  // A root of its own: a driver that is constructed on a root in use would clear away what is being built there.
  const root = mkdtempSync(join(tmpdir(), 'tsdocker-doctor-'));
  const sysinfo = readSysinfo();
  const instance: Instance = { id: '000000', root, runDir: root };
  const families = (): readonly (readonly Driver[])[] => [
    Object.values(GRAPH_DRIVERS).map(({ create }) => create(root, [])),
    openNetworks(NETWORK_DRIVERS, {
      instance,
      iptables: true,
      ipForward: true,
      originals: NOTHING_CHANGED,
    }).drivers.filter(hasNetworks),
    Object.values(EXEC_DRIVERS).map((create) =>
      create({ instance, clock: systemClock, shimBinary: SHIM_BINARY, sysinfo }),
    ),
  ];
  try {
    return runDoctor(root, sysinfo, process.geteuid?.() === 0 ? families() : []);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
