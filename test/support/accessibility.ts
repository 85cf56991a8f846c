/**
 * What a page keeps from people who read it with other means, or with weak eyes: the rules of WCAG 2.2 AA that a
 * script can decide (https://www.w3.org/TR/WCAG22/: 1.1.1, 1.3.1, 1.4.3, 2.4.6, 4.1.2).
 */
import type { Page } from 'playwright-core';

/** Run in the page: colours are read back from a canvas, which understands whatever CSS says. */
const AUDIT = `(() => {
  const found = new Set();
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (front, back) => [0, 1, 2].map((at) => front[at] * front[3] + back[at] * (1 - front[3]));
  const luminance = (color) => {
    const [red, green, blue] = color.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element) => {
    const above = element.parentElement === null ? [255, 255, 255] : behind(element.parentElement);
    return over(rgba(getComputedStyle(element).backgroundColor), above);
  };
  const hasText = (element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '');
  // Disabled controls are exempt; texts on a gradient or a picture have no one colour behind them.
  const EXEMPT = '[disabled], .visually-hidden, .skip-link, option, .tile-name, .button-main';
  for (const element of document.querySelectorAll('body *')) {
    const { width } = element.getBoundingClientRect();
    if (!hasText(element) || width === 0 || element.closest(EXEMPT) !== null) continue;
    const style = getComputedStyle(element);
    const back = behind(element);
    const [light, dark] = [luminance(over(rgba(style.color), back)), luminance(back)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = Number.parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.add('contrast ' + ratio.toFixed(2) + ': ' + element.textContent.slice(0, 40));
  }
  for (const field of document.querySelectorAll('input:not([hidden]), select, textarea'))
    if (field.labels.length === 0 && !field.ariaLabel) found.add('no label: ' + field.outerHTML.slice(0, 80));
  const nameOf = (element) =>
    element.ariaLabel || element.textContent.trim() || element.querySelector('img')?.alt || '';
  for (const control of document.querySelectorAll('button, a:not([aria-hidden])'))
    if (nameOf(control) === '') found.add('no name: ' + control.outerHTML.slice(0, 80));
  for (const picture of document.querySelectorAll('img:not([alt])')) found.add('no alt: ' + picture.src);
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.add('id twice: ' + id);
  for (const attribute of ['aria-describedby', 'aria-labelledby'])
    for (const element of document.querySelectorAll('[' + attribute + ']'))
      for (const id of element.getAttribute(attribute).split(' '))
        if (document.getElementById(id) === null) found.add(attribute + ' leads nowhere: ' + id);
  const levels = [...document.querySelectorAll('h1, h2, h3, h4')].map(({ tagName }) => Number(tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) found.add('not exactly one h1');
  if (levels.some((level, at) => level > (levels[at - 1] ?? 0) + 1)) found.add('a heading level is left out');
  for (const landmark of ['header', 'nav', 'main'])
    if (document.querySelectorAll(landmark).length !== 1) found.add('not exactly one ' + landmark);
  return [...found];
})()`;

/** One line for each fault; empty when none is found. */
export const accessibilityFaults = (page: Page): Promise<readonly string[]> =>
  page.evaluate<readonly string[]>(AUDIT);
