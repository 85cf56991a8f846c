/** The pipeline at a ComfyUI of one's own: `COMFYUI_URL`. One stack serves both files, for it costs more than they do. */
import './own-comfyui/replay.ts';
import './own-comfyui/url.ts';
