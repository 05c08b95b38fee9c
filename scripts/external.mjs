/** npm packages that stay outside dist/: native ones, which load files beside their own. */
export const EXTERNAL = ['better-sqlite3', 'ffi-rs'];
