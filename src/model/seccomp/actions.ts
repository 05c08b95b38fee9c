/** What a filter answers: return words of include/uapi/linux/seccomp.h. */
export const ACTIONS = {
  SCMP_ACT_KILL: 0x0000_0000,
  SCMP_ACT_KILL_THREAD: 0x0000_0000,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
} as const;
export type ActionName = keyof typeof ACTIONS;

export const EPERM = 1;
export const ENOSYS = 38;

/** The action word; its lower half holds the number of an errno or a trace. */
export function actionWord(name: ActionName, value: number): number {
  return name === 'SCMP_ACT_ERRNO' || name === 'SCMP_ACT_TRACE' ? ACTIONS[name] + value : ACTIONS[name];
}

/** Negative where `a` is the stricter one: the order in which the kernel picks among the answers of several filters. */
export function compareStrictness(a: number, b: number): number {
  return (a & 0xffff_0000) - (b & 0xffff_0000);
}

/** A profile whose default lets calls through wants unknown ones to get through as well. */
export function letsThrough(word: number): boolean {
  return compareStrictness(word, ACTIONS.SCMP_ACT_TRACE) >= 0;
}
