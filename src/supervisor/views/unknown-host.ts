/**
 * Which host name a program did not find, by what it wrote last. Pure. Logs are anybody's text: few lines, cut short, and
 * patterns that begin with fixed words and go over a name once.
 */

/** Lines from the end that are looked at, and characters of each. */
const LINES = 50;
const LINE_LENGTH = 2_000;

const NAME = '([A-Za-z0-9_][A-Za-z0-9_.-]{0,252})';
/** What resolvers say: glibc, musl, BSD, Windows. */
const UNKNOWN =
  '(?:Name or service not known|Temporary failure in name resolution|Name does not resolve|No address associated with hostname|nodename nor servname provided|No such host is known|no such host|Try again|non-existing domain)';
const QUOTE = `["'‘\`]`;

/** By program or library, the more particular first. */
const FORMS: readonly (readonly [who: string, pattern: RegExp])[] = [
  ['Node, libuv', new RegExp(`getaddrinfo (?:ENOTFOUND|EAI_AGAIN|EAI_NODATA|EAI_NONAME) ${NAME}`)],
  ['libpq', new RegExp(`could not translate host name ${QUOTE}${NAME}`)],
  ['Go', new RegExp(`lookup ${NAME}(?: on [^ ]{1,64})?: (?:no such host|${UNKNOWN}|server misbehaving)`)],
  ['nginx', new RegExp(`host not found in (?:upstream|resolver) ${QUOTE}${NAME}`)],
  ['nginx', new RegExp(`host not found in ${QUOTE}${NAME}`)],
  ['nginx', /invalid host in upstream "([A-Za-z0-9_][A-Za-z0-9_.-]{0,252})/],
  ['nginx, at run time', new RegExp(`(?:: |\\*[0-9]{1,20} )${NAME} could not be resolved`)],
  ['HAProxy', new RegExp(`could not resolve address ${QUOTE}${NAME}`)],
  ['HAProxy', new RegExp(`invalid address: ${QUOTE}${NAME}`)],
  ['Apache', new RegExp(`DNS lookup failure for: ${NAME}`)],
  ['MySQL, MariaDB', new RegExp(`Unknown (?:MySQL )?server host ${QUOTE}${NAME}`)],
  [
    'PyMySQL',
    new RegExp(
      `Can't connect to (?:MySQL|MariaDB) server on ${QUOTE}${NAME}(?::[0-9]{1,5})?${QUOTE}? \\(.{0,40}${UNKNOWN}`,
    ),
  ],
  ['PHP', new RegExp(`getaddrinfo for ${NAME} failed`)],
  ['Java', new RegExp(`UnknownHostException: ${NAME}`)],
  ['urllib3', new RegExp(`Failed to resolve ${QUOTE}${NAME}`)],
  ['urllib3', new RegExp(`host=${QUOTE}${NAME}${QUOTE}.{0,400}${UNKNOWN}`)],
  ['redis-py', new RegExp(`connecting to ${NAME}:[0-9]{1,5}\\. ${UNKNOWN}`)],
  ['aiohttp', new RegExp(`Cannot connect to host ${NAME}:[0-9]{1,5} .{0,40}\\[${UNKNOWN}`)],
  ['curl, git', new RegExp(`[Cc]ould not resolve (?:host|hostname|proxy): ${NAME}`)],
  ['ssh', new RegExp(`Could not resolve hostname ${NAME}`)],
  ['wget', new RegExp(`unable to resolve host (?:address )?${QUOTE}?${NAME}`)],
  ['BusyBox', new RegExp(`bad address ${QUOTE}?${NAME}`)],
  ['nslookup', new RegExp(`can't (?:resolve|find) ${QUOTE}?${NAME}`)],
  ['ping, netcat', new RegExp(`[Uu]nknown host:? ${QUOTE}?${NAME}`)],
  ['MongoDB', new RegExp(`Could not find address for ${NAME}`)],
  ['Kafka', new RegExp(`Couldn't resolve server ${NAME}`)],
  ['Ruby', new RegExp(`TCP connection to ${QUOTE}?${NAME}:[0-9]{1,5}${QUOTE}? \\(getaddrinfo`)],
  ['Erlang', new RegExp(`\\(${NAME}:[0-9]{1,5}\\): non-existing domain`)],
  ['.NET', new RegExp(`${UNKNOWN}\\.? \\(${NAME}:[0-9]{1,5}\\)`)],
  [
    'redis-cli and others',
    new RegExp(`(?:^|[ "'@/(])${NAME}(?:[:/][0-9]{1,5})?: (?:\\[Errno -?[0-9]{1,4}\\] )?${UNKNOWN}`),
  ],
];

/** Words that stand where a name may. */
const NO_NAME: ReadonlySet<string> = new Set([
  'getaddrinfo',
  'failed',
  'error',
  'connect',
  'host',
  'address',
  'gaierror',
  'socket.gaierror',
]);
const ADDRESS = /^[0-9.]+$/;

function inLine(line: string): string | null {
  for (const [, pattern] of FORMS) {
    const name = pattern.exec(line)?.[1]?.replace(/[.-]+$/, '');
    if (name && !ADDRESS.test(name) && !NO_NAME.has(name.toLowerCase())) return name;
  }
  return null;
}

/** Returns the last name that the log lines report as not found; null when there is none. */
export function unknownHost(lines: readonly string[]): string | null {
  for (const line of lines.slice(-LINES).reverse()) {
    const name = inLine(line.slice(0, LINE_LENGTH));
    if (name !== null) return name;
  }
  return null;
}
