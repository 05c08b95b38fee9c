/** Calls of the kernel for trace.test.ts: one that works, one that fails, and one that is given a secret. */
import { closeSync } from 'node:fs';
import { trySyscall } from '../../../src/ffi/call/native.ts';
import { AT_FDCWD, find, OPEN_FLAGS } from '../../../src/ffi/files/lookup.ts';

const [directory = '', secret = ''] = process.argv.slice(2);
const flags = OPEN_FLAGS.path;
closeSync(find(AT_FDCWD, directory, 'trusted', flags) ?? -1);
find(AT_FDCWD, Buffer.from(`${directory}/no\nsuch`), 'trusted', flags);
trySyscall('lsetxattr', directory, 'user.secret', Buffer.from(secret), secret.length, 0);
trySyscall('fsconfig', -1, 1, 'password', secret, 0);
trySyscall('fsconfig', -1, 1, 'data', `user=a,password=${secret},vers=3`, 0);
console.log('done');
