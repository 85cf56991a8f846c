import { expect, test } from '@jest/globals';
import { isLocalCaller } from './local-caller.ts';

test.each([
  {},
  { host: 'localhost:8080' },
  { Host: '127.0.0.1:8080', origin: 'http://127.0.0.1:8081' },
  { host: '[::1]:8080', Origin: 'http://localhost' },
])('a program or a page of this machine: %j', (headers) => {
  expect(isLocalCaller(headers)).toBe(true);
});

test.each([
  { origin: 'http://evil.example' },
  { Origin: 'https://localhost.evil.example' },
  { origin: 'null' },
  { origin: 'http://127.0.0.1.evil.example' },
  { origin: '' },
  { host: 'evil.example:8080' },
  { HOST: 'rebound.example', origin: 'http://127.0.0.1:8081' },
])('another site: %j', (headers) => {
  expect(isLocalCaller(headers)).toBe(false);
});
