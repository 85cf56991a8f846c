/** Catalogues in memory. */
import type { CatalogueStore } from '../../core/ports.ts';
import type { Catalogue } from '../../core/workflow/catalogue.ts';

export interface FakeCatalogueStore extends CatalogueStore {
  readonly catalogues: ReadonlyMap<string, Catalogue>;
}

export const createFakeCatalogueStore = (): FakeCatalogueStore => {
  const catalogues = new Map<string, Catalogue>();
  return {
    catalogues,
    put: async (hash, catalogue) => {
      if (!catalogues.has(hash)) catalogues.set(hash, catalogue);
    },
    get: async (hash) => catalogues.get(hash),
  };
};
