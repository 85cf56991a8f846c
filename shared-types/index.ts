/** The public contract: events, pushes, task API, and ComfyUI's wire as far as we read it. */
export * from './api-routes.ts';
export * from './comfyui-frames.ts';
export * from './comfyui-history.ts';
export * from './comfyui-json.ts';
export * from './comfyui-rest.ts';
export * from './env-names.ts';
export * from './event-base.ts';
export * from './event-catalogue.ts';
export * from './monitor-events.ts';
export * from './preview-request.ts';
export * from './push-messages.ts';
export * from './task-api.ts';
export * from './task-events.ts';
