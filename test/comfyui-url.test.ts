/** The pipeline at a ComfyUI of one's own: `COMFYUI_URL`. One stack serves all files, for it costs more than they do. */
import './own-comfyui/replay.ts';
import './own-comfyui/url.ts';
import './own-comfyui/previews.ts';
