/**
 * Who may come without credentials where none are needed: programs of this machine, and pages of this machine. A page
 * of another site that is open in the same browser says so in `Origin`, and one that had its name point here (DNS
 * rebinding) in `Host`.
 */

type Headers = Readonly<Record<string, string | undefined>>;

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

const isLoopback = (url: string): boolean => URL.canParse(url) && LOOPBACK.test(new URL(url).hostname);

/** @param headers by any case of their names */
export const isLocalCaller = (headers: Headers): boolean => {
  const named = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const origin = named.get('origin');
  const host = named.get('host');
  return (origin === undefined || isLoopback(origin)) && (host === undefined || isLoopback(`http://${host}`));
};
