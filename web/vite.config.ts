import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const folder = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig({
  root: folder('./page'),
  publicDir: false,
  plugins: [react()],
  build: {
    outDir: folder('../dist/web'),
    emptyOutDir: true,
    // Measured by a test of its own; compressing at each build is only waiting.
    reportCompressedSize: false,
  },
});
