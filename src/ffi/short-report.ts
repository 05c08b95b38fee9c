/**
 * ffi-rs asks the diagnostic report for the C library when it is loaded, and a report looks up every interface and
 * connection of the host: a fifth of a second beside a thousand containers. To be imported before it.
 */
const report = process.report as (NodeJS.ProcessReport & { excludeNetwork?: boolean }) | undefined;
if (report) report.excludeNetwork = true;
