import type { ErrorClass } from './error-class.ts';

/** A row of docs/errors.md: what the code means and what a person does about it. */
export interface ErrorRow {
  readonly class: ErrorClass;
  readonly title: string;
  readonly hint: string;
}

/** One row for each code, in alphabetical order within its area. docs/errors.md is generated from it. */
export const ERROR_CATALOGUE = {
  // Manifests
  TSD_MANIFEST_SYNTAX: {
    class: 'invalid',
    title: 'The file is not valid YAML',
    hint: 'Correct the YAML at the position shown.',
  },
  TSD_MANIFEST_SCHEMA: {
    class: 'invalid',
    title: 'A field is unknown or has a wrong value',
    hint: 'See docs/manifest.md for the fields and their forms.',
  },
  TSD_MANIFEST_REFERENCE: {
    class: 'invalid',
    title: 'A name refers to nothing',
    hint: 'Declare the resource or correct the name; `app/name` reaches into another app.',
  },
  TSD_MANIFEST_CONFLICT: {
    class: 'invalid',
    title: 'Two declarations claim the same thing',
    hint: 'Change one of the two places named.',
  },
  TSD_MANIFEST_CYCLE: {
    class: 'invalid',
    title: 'Containers depend on each other in a circle',
    hint: 'Remove one of the links of the path shown.',
  },
  TSD_MANIFEST_READ: {
    class: 'invalid',
    title: 'A file named by a manifest cannot be read',
    hint: 'Check the path; it is relative to the manifest.',
  },
  TSD_UNTRUSTED: {
    class: 'precondition',
    title: 'Other users can write to a file that the supervisor obeys',
    hint: 'Remove their write permission; docs/security.md says who may command.',
  },
  TSD_IMPORT_IGNORED: {
    class: 'unsupported',
    title: 'A part of a foreign file has no meaning here',
    hint: 'This is only a warning; docs/importers.md lists what is translated.',
  },
  TSD_IMPORT_IMPOSSIBLE: {
    class: 'invalid',
    title: 'A part of a foreign file cannot be translated',
    hint: 'Change it, or write it as a manifest: `tsdocker convert` is a start.',
  },
  TSD_NOT_IN_THIS_VERSION: {
    class: 'invalid',
    title: 'The field belongs to a later version',
    hint: 'Remove the field or upgrade tsdocker.',
  },
  // Host and set-up
  TSD_FLAG: { class: 'invalid', title: 'A flag or setting is wrong', hint: 'See `tsdocker daemon --help`.' },
  TSD_NOT_ROOT: { class: 'denied', title: 'The supervisor needs root', hint: 'Run it as root, for example with sudo.' },
  TSD_LOCKED: {
    class: 'conflict',
    title: 'Another supervisor owns this directory',
    hint: 'Stop it, or give this one its own --root and --run-dir.',
  },
  TSD_UNSUPPORTED_HOST: {
    class: 'unsupported',
    title: 'The host lacks something tsdocker needs',
    hint: 'Run `tsdocker doctor`.',
  },
  TSD_DRIVER_UNKNOWN: { class: 'invalid', title: 'No driver has this name', hint: 'Use one of the names listed.' },
  TSD_DRIVER_LACKS: {
    class: 'unsupported',
    title: 'The exec driver cannot do this',
    hint: 'Leave it out of the manifest, or start the supervisor with another exec driver (-e).',
  },
  TSD_DRIVER_UNAVAILABLE: {
    class: 'unsupported',
    title: 'A driver does not work on this host',
    hint: 'Run `tsdocker doctor` for the reason and the fix.',
  },
  TSD_SYSCALL: {
    class: 'unavailable',
    title: 'A system call failed',
    hint: 'The step and errno name the call; `tsdocker doctor` checks the host.',
  },
  TSD_LOOKUP: {
    class: 'unavailable',
    title: 'A path lookup failed, because files on the host are renamed or mounted without a pause',
    hint: 'Run it again. Starts and probes are retried automatically, and no probe fails because of it.',
  },
  TSD_STATE_CORRUPT: {
    class: 'precondition',
    title: 'A state file cannot be read',
    hint: 'The file is not changed; move it away or restore it from a backup.',
  },
  TSD_DISK_FULL: {
    class: 'exhausted',
    title: 'The disk is full',
    hint: 'Free space under the root directory; `tsdocker stop`, `delete` and `system prune` work on a full disk.',
  },
  // Images and storage
  TSD_IMAGE_SOURCE: {
    class: 'precondition',
    title: 'The image source is missing or unreadable',
    hint: 'Create the file or directory. A declared image is retried automatically.',
  },
  TSD_IMAGE_INVALID: {
    class: 'invalid',
    title: 'The image is malformed',
    hint: 'Write the image again with a current tool.',
  },
  TSD_IMAGE_MISSING: {
    class: 'precondition',
    title: 'The image is not on this host',
    hint: '`tsdocker pull NAME` or `tsdocker load -i FILE` brings it here; or give it a source under `images:`.',
  },
  TSD_IMAGE_PLATFORM: {
    class: 'precondition',
    title: 'The image is for another platform',
    hint: 'Use an image for this architecture, or install qemu-user-static and binfmt support.',
  },
  TSD_REGISTRY: {
    class: 'unavailable',
    title: 'A registry cannot be reached or fails',
    hint: 'Check the name, the network and that the registry runs. A declared image is retried automatically.',
  },
  TSD_REGISTRY_DENIED: {
    class: 'denied',
    title: 'A registry refuses access',
    hint: 'Check the name and log in: `tsdocker login REGISTRY`.',
  },
  TSD_REGISTRY_INVALID: {
    class: 'unavailable',
    title: 'A registry sends an invalid answer',
    hint: 'The answer is discarded. Check that the name belongs to a registry that you trust.',
  },
  TSD_REGISTRY_NOT_FOUND: {
    class: 'precondition',
    title: 'The registry does not have the image',
    hint: 'Check name and tag: `tsdocker tags NAME` lists the tags.',
  },
  TSD_LOG_RECEIVER: {
    class: 'unavailable',
    title: 'A receiver of logs cannot be reached',
    hint: 'Nothing is lost while the log file has room; entries are sent once the receiver is back. Check `log.address`.',
  },
  TSD_IMAGE_UNTRUSTED: {
    class: 'denied',
    title: 'The trust policy rejects the image',
    hint: 'No layer was unpacked. Sign it with a key of the rule, or change the policy: docs/images.md.',
  },
  TSD_TRUST_POLICY: {
    class: 'precondition',
    title: 'The trust policy cannot be used',
    hint: 'Every image is rejected until it is corrected: docs/images.md shows its format.',
  },
  TSD_TRUST_BASE: {
    class: 'unavailable',
    title: 'The statements of a trust base cannot be fetched, or are not believed',
    hint: 'What is held stays in force, and pulls continue: docs/images.md.',
  },
  TSD_TRUST_STORE: {
    class: 'precondition',
    title: 'A file of the trust directory, or the key, cannot be used',
    hint: 'Correct it or move it away; it is never overwritten.',
  },
  TSD_LAYER_CONFLICT: {
    class: 'conflict',
    title: 'A layer with this id exists with different content',
    hint: 'Remove the existing layer.',
  },
  TSD_LAYER_HOSTILE: {
    class: 'invalid',
    title: 'The archive tries to write outside of its directory',
    hint: 'Do not use this archive.',
  },
  TSD_DOCKERFILE: {
    class: 'invalid',
    title: 'A Dockerfile cannot be built',
    hint: 'Correct the line shown; docs/build.md lists what is supported.',
  },
  TSD_BUILD_CONTEXT: {
    class: 'invalid',
    title: 'A build context cannot be used',
    hint: 'Check the path. List files that the build does not need in .dockerignore.',
  },
  TSD_CONTENT_MISSING: {
    class: 'precondition',
    title: 'The pinned copy of a file is missing',
    hint: 'Apply the manifest again (`tsdocker apply -f FILE`): it copies the file as it is now.',
  },
  TSD_BUILD_RUN: {
    class: 'unavailable',
    title: 'A command of a build failed',
    hint: 'The last lines it wrote are above; edit the Dockerfile or the files it uses. A declared image is retried automatically.',
  },
  TSD_DOWNLOAD: {
    class: 'unavailable',
    title: 'A file that ADD names cannot be downloaded',
    hint: 'Check the URL and the network of this host. A declared image is retried automatically.',
  },
  TSD_VOLUME_IN_USE: {
    class: 'conflict',
    title: 'The volume is in use',
    hint: 'Stop or remove the containers named first.',
  },
  TSD_DATA_LOSS: {
    class: 'data-loss',
    title: 'The operation would delete data',
    hint: 'Run `tsdocker approve` if that is wanted.',
  },
  // Network
  TSD_PORT_IN_USE: {
    class: 'conflict',
    title: 'A host port is in use',
    hint: 'Stop the process named or publish another port.',
  },
  TSD_ADDRESS_POOL_FULL: {
    class: 'exhausted',
    title: 'The network has no free address',
    hint: 'Remove containers or give the network a larger subnet.',
  },
  TSD_SUBNET_CONFLICT: {
    class: 'conflict',
    title: 'The subnet overlaps one of the host',
    hint: 'Give the network another subnet.',
  },
  TSD_NETWORK: { class: 'unavailable', title: 'A network operation failed', hint: 'Run `tsdocker doctor`.' },
  // Containers
  TSD_CONTAINER_SETUP: {
    class: 'precondition',
    title: 'The container could not be set up',
    hint: 'The step names what failed; `tsdocker why NAME` shows what led to it.',
  },
  TSD_COMMAND_NOT_FOUND: {
    class: 'precondition',
    title: 'The command is not in the image',
    hint: 'Check command and entrypoint against the image.',
  },
  TSD_USER_NOT_FOUND: {
    class: 'precondition',
    title: 'The user is not in the image',
    hint: 'Use a numeric id or a user of /etc/passwd in the image.',
  },
  TSD_BIND_SOURCE: {
    class: 'precondition',
    title: 'A bind mount source is missing, unreadable or does not answer',
    hint: 'Create it with `mkdir -p`, write `create: true` at that mount, or repair the filesystem that it is on.',
  },
  TSD_LIMIT_IMPOSSIBLE: {
    class: 'precondition',
    title: 'A limit asks for more than the host has',
    hint: 'Lower the limit in the manifest.',
  },
  TSD_MEMORY_FULL: {
    class: 'exhausted',
    title: 'There is not enough memory to start a container',
    hint: 'Stop something, or add memory; the start is retried automatically.',
  },
  TSD_CONTAINER_ENDED: {
    class: 'precondition',
    title: 'The container ended unexpectedly',
    hint: '`tsdocker logs NAME` shows its output, `tsdocker why NAME` what led to it.',
  },
  TSD_CONTAINER_NOT_RUNNING: {
    class: 'precondition',
    title: 'The container is not running',
    hint: '`tsdocker get containers` shows its phase.',
  },
  TSD_CONTAINER_CHANGED: {
    class: 'conflict',
    title: 'The container changed while its files were read',
    hint: 'Try again; a stopped container can be read too.',
  },
  TSD_SHIM: {
    class: 'unavailable',
    title: 'The shim does not answer',
    hint: 'The restart policy of the container applies.',
  },
  // Talking to the supervisor
  TSD_NO_SUPERVISOR: {
    class: 'unavailable',
    title: 'No supervisor answers on the socket',
    hint: 'Start one: `tsdocker daemon`, or `systemctl start tsdocker`.',
  },
  TSD_SOCKET_DENIED: {
    class: 'denied',
    title: 'Access to the socket of the supervisor is denied',
    hint: 'Use sudo, or join the group that owns the socket.',
  },
  TSD_VERSION_MISMATCH: {
    class: 'unsupported',
    title: 'Client and supervisor have different versions',
    hint: 'Upgrade the side named.',
  },
  TSD_NO_SUCH_RESOURCE: {
    class: 'not-found',
    title: 'No resource has this name',
    hint: '`tsdocker get` lists what exists.',
  },
  TSD_AMBIGUOUS_NAME: { class: 'invalid', title: 'The name is not unique', hint: 'Use app/name.' },
  TSD_OWNED_BY_MANIFEST: {
    class: 'conflict',
    title: 'A watched manifest declares the resource',
    hint: 'Edit or remove the file named.',
  },
  TSD_BAD_REQUEST: { class: 'invalid', title: 'The request is malformed', hint: "See the command's --help." },
  TSD_RESOLVER: {
    class: 'unavailable',
    title: 'The resolver, which answers the names of containers, does not work',
    hint: 'It is started again by itself; `tsdocker doctor` says what it is about, and its log is in names/ of the run directory.',
  },
  TSD_TIMEOUT: {
    class: 'timeout',
    title: 'The operation timed out',
    hint: '`tsdocker get` and `tsdocker describe` show what it waits for.',
  },
  TSD_JOB_UNKNOWN: {
    class: 'not-found',
    title: 'No job has this name',
    hint: '`tsdocker jobs` lists all of them.',
  },
  TSD_JOB_FAILED: {
    class: 'precondition',
    title: 'A job ended with a status other than 0',
    hint: 'The last line of its standard error says why.',
  },
  TSD_ENGINE_SHUTDOWN: {
    class: 'unavailable',
    title: 'The supervisor is shutting down',
    hint: 'Try again when it is back.',
  },
  TSD_CALLED_OFF: {
    class: 'unavailable',
    title: 'The operation was cancelled',
    hint: 'The current declaration is applied instead.',
  },
  TSD_BUG: { class: 'bug', title: 'A defect in tsdocker', hint: "Please report it with the supervisor's log." },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;
