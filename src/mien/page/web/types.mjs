// @ts-check
/** Shapes of what the page's modules pass to each other; there is no code here. */

/**
 * @typedef {object} Label
 * @property {string} key
 * @property {string} name
 * @property {[number, number, number]} color_rgb
 * @property {[number, number, number]} ink_rgb what is read on the colour
 */
/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} licence
 * @property {string} file
 * @property {number} width_px
 * @property {number} height_px
 * @property {number} channels
 * @property {number} temperature
 */
/**
 * @typedef {object} Crop
 * @property {number} side_per_width
 * @property {number} shift_x
 * @property {number} shift_y
 * @property {[number, number][]} landmarks
 * @property {number} turn_from_deg
 * @property {number} turned_side_px
 */
/**
 * @typedef {object} Detector
 * @property {string} name
 * @property {string} file
 * @property {number} nms_iou
 * @property {number[]} strides_px
 * @property {number} multiple_px
 * @property {number} most_candidates
 * @property {number} threshold
 * @property {number} video_threshold
 * @property {number} longest_side_px
 * @property {number} enlarged_side_px
 * @property {number} coarse_side_px
 * @property {number} smallest_side_px
 * @property {number} smallest_face_px
 * @property {number} minimum_side_px
 * @property {number} large_px
 * @property {number} part
 * @property {number} same_face_iou
 */
/**
 * @typedef {object} Pose
 * @property {[number, number, number][]} model_mm
 * @property {number} distance_mm
 */
/**
 * @typedef {object} SecondLook
 * @property {number} look_from_deg
 * @property {number} side_px
 * @property {number} face_share
 * @property {number} most_looks
 * @property {number} straight_deg
 * @property {number} most_faces
 * @property {number} threshold
 * @property {number} farthest
 */
/**
 * @typedef {object} Turning
 * @property {number} sure
 * @property {number} turned_score
 * @property {number} turned_ratio
 * @property {number} doubtful
 */
/**
 * @typedef {object} TrackNumbers
 * @property {number} max_gap_s
 * @property {number} longest_frame_s
 * @property {number} n_intervals
 * @property {[number, number]} place
 * @property {[number, number]} size_ratio
 * @property {number} appearance
 * @property {number} appearance_at_most
 * @property {number} in_view_s
 * @property {number} most_cost
 * @property {number} waiting_cost
 * @property {number} coasting_s
 * @property {number} velocity_half_life_s
 * @property {number} appearance_half_life_s
 */
/**
 * @typedef {object} Numbers model.json, as Python writes it
 * @property {string} mien
 * @property {Model} model
 * @property {Label[]} labels
 * @property {Label} uncertain
 * @property {Crop} crop
 * @property {Detector} detector
 * @property {Pose & {names: string[]}} pose
 * @property {SecondLook} second_look
 * @property {Turning} turning
 * @property {{live_side_px: number, smallest_side_px: number, largest_side_px: number}} video
 * @property {TrackNumbers} tracks
 * @property {{side_px: number, samples: number, hides: number, enough: number, plain: number}} appearance
 * @property {{same_scene: number, thumbnail_px: [number, number], margin_px: [number, number],
 *   structure: number, stays: number, dark: number, overexposed: number}} cuts
 * @property {{half_life_s: number, margin: number, patience_s: number}} smoothing
 * @property {string[]} photo_columns
 * @property {string[]} video_columns
 * @property {number} most_pixels
 * @property {{module: string, glue: string, wasm: string}} runtime
 */
/**
 * @typedef {object} Start start.json: what the page may know before anybody showed a token
 * @property {string} mien
 * @property {boolean} server whether there is a service; false on a static host
 * @property {boolean} token whether the service asks for one
 * @property {string} browser why the browser cannot do the work; empty where it can
 * @property {number} body_bytes largest picture that the service takes
 * @property {number} video_bytes largest video
 */
/**
 * @typedef {object} Found
 * @property {[number, number, number, number]} box
 * @property {number} score
 * @property {[number, number][]} landmarks
 */
/**
 * @typedef {object} Face
 * @property {[number, number, number, number]} box left, top, width, height in pixels
 * @property {number} detection_score
 * @property {number | null} track
 * @property {string} expression
 * @property {number} confidence
 * @property {Record<string, number>} probabilities
 * @property {Record<string, number>} [raw_probabilities]
 * @property {Record<string, [number, number]>} [landmarks] these and the angles are of the frame alone
 * @property {number} [interocular_px]
 * @property {number} [roll_deg]
 * @property {number} [yaw_deg]
 * @property {number} [pitch_deg]
 */
/**
 * @typedef {object} Result as the service answers
 * @property {string} source
 * @property {number} frame
 * @property {number} time_s
 * @property {number} width
 * @property {number} height
 * @property {string} detector
 * @property {number} [turned]
 * @property {Face[]} faces
 */
/** @typedef {(input: Float32Array, shape: number[]) => Promise<Record<string, Float32Array>>} Run */

export {};
