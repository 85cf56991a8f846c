#!/usr/bin/env node
// Plain JavaScript, for Node runs this file itself: tsx takes the TypeScript behind it.
import { register } from 'tsx/esm/api';

// The tsconfig.json of the folder it is called from is none of its business.
register({ tsconfig: false });
const { main } = await import('./main.ts');
// Not exitCode: a socket that waits for its peer's goodbye would keep the process.
process.exit(await main(process.argv.slice(2)));
