/** Whether a host of a URL or an address (`[::1]` or `::1`) is this machine, by its spelling alone: nothing is looked up. */
export const isLoopback = (hostname: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/.test(hostname);
