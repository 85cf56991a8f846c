/** The API key of this tab: sessionStorage forgets it with the tab, and no other page reads it. */
const KEY = 'apiKey';

export const readApiKey = (): string | undefined => {
  try {
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
};

export const keepApiKey = (key: string | undefined): void => {
  try {
    if (key === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, key);
  } catch {
    // Forbidden: the key then lasts until the page is left.
  }
};
