/**
 * Mounts a component that renders nothing, so that its hooks run as in a browser (effects, StrictMode) without one.
 * React touches only what stands here while no element is created.
 */
import { StrictMode, createElement, type ComponentType } from 'react';
import { createRoot } from 'react-dom/client';

const nothing = (): void => undefined;

const createContainer = (): Element => {
  const target = { addEventListener: nothing, removeEventListener: nothing };
  const ownerDocument = { ...target, nodeType: 9, nodeName: '#document', activeElement: null };
  return { ...target, nodeType: 1, nodeName: 'DIV', tagName: 'DIV', ownerDocument } as unknown as Element;
};

const installWindow = (): void => {
  const target = { addEventListener: nothing, removeEventListener: nothing };
  const document = { ...target, nodeType: 9, activeElement: null };
  const window = { ...target, document, event: undefined, HTMLIFrameElement: Map };
  // React looks into frames for the focused element: nothing here is one, so any class will do.
  Object.assign(globalThis, { window, document });
};

/** In StrictMode, so that every effect runs, is undone and runs again. The answer unmounts it. */
export const mountStrictly = (component: ComponentType): (() => void) => {
  installWindow();
  const root = createRoot(createContainer());
  root.render(createElement(StrictMode, null, createElement(component)));
  return () => root.unmount();
};
