/** Exit codes of every command; those of exec are on its help page. */
export const EXIT = {
  ok: 0,
  error: 1,
  /** `plan` and `diff`: there is something to do. */
  changes: 2,
  /** EX_USAGE of sysexits.h: the command line is wrong. */
  usage: 64,
  /** 128 + SIGINT: Ctrl-C where something was asked. */
  interrupted: 130,
  /** 128 + SIGPIPE: the reader of our output left. */
  brokenPipe: 141,
} as const;
