/* The table of settings: identifier, name in the config file, environment names, type, default,
 * meaning. SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_CONFIG_TABLE_H
#define IMS_BASE_CONFIG_TABLE_H

/* clang-format off */
#define IMS_CONFIG_TABLE(X)                                                                                            \
    X(DATA,            "data",            "IMS_DATA",               PATH, "",       "Data directory: database, thumbnails, models. Empty: $XDG_DATA_HOME/imgsearch or ~/.local/share/imgsearch.") \
    X(DATABASE_URL,    "database_url",    "DATABASE_URL",           STR,  "",       "postgresql://user:password@host/name, or empty for SQLite in the data directory.") \
    X(IMAGE_ROOT_DIR,  "image_root_dir",  "IMAGE_ROOT_DIR",         PATH, "",       "A folder that `imgsearch index` takes when none is named.") \
    X(THUMBNAIL_SIZE,  "thumbnail_size",  "THUMBNAIL_SIZE",         INT,  "256",    "Longest side of a thumbnail in pixels, 16 to 2048.") \
    X(MODEL,           "model",           "IMS_MODEL",              STR,  "",       "An installed model by name, or the path of a model folder; NAME@int8 names the precision too. Wins over CLIP_MODEL_NAME.") \
    X(PRECISION,       "precision",       "IMS_PRECISION",          STR,  "",       "fp32, fp16, int8, or auto: the fastest that `imgsearch bench --agreement` found good. Empty: fp32, or what the library's model was chosen with.") \
    X(CLIP_MODEL_NAME, "clip_model_name", "CLIP_MODEL_NAME",        STR,  "",       "Architecture of the model, e.g. ViT-B-32; together with CLIP_PRETRAINED it names an installed model.") \
    X(CLIP_PRETRAINED, "clip_pretrained", "CLIP_PRETRAINED",        STR,  "",       "Weights of the model, e.g. laion2b_s34b_b79k.") \
    X(HUB_URL,         "hub_url",         "IMS_HUB_URL",            STR,  "https://huggingface.co", "Where `imgsearch models pull` fetches models: the hub, or a mirror that has the same paths.") \
    X(EMBEDDING_DIM,   "embedding_dim",   "EMBEDDING_DIM",          INT,  "0",      "When set, the model must have this many dimensions; 0 accepts any.") \
    X(DEVICE,          "device",          "DEVICE",                 STR,  "",       "auto, cpu, cuda, cuda:N, mps, coreml, webgpu, openvino, tensorrt, migraphx, or a list.") \
    X(PYTORCH_DEVICE,  "pytorch_device",  "PYTORCH_DEVICE",         STR,  "",       "Another name for DEVICE, looked at when DEVICE is unset or auto.") \
    X(FORCE_CPU,       "force_cpu",       "FORCE_CPU",              BOOL, "false",  "Use the CPU where no device is named.") \
    X(ONNX_PROVIDERS,  "onnx_providers",  "ONNX_PROVIDERS",         STR,  "",       "Execution providers that may be used, in this order, separated by commas; empty permits all.") \
    X(RUNTIME,         "runtime",         "ORT_DYLIB_PATH",         PATH, "",       "Path of the ONNX Runtime library; empty looks in the usual places.") \
    X(COMPUTE_CHILD,   "compute_child",   "IMS_COMPUTE_CHILD",      STR,  "auto",   "Which devices compute in a process of their own: auto (accelerators), always (the CPU too) or never.") \
    X(COMPUTE_DEADLINE, "compute_deadline", "IMS_COMPUTE_DEADLINE", INT,  "120",    "Seconds after which a batch on a device in its own process counts as hung, 1 to 3600.") \
    X(GPU_MEM_LIMIT,   "gpu_mem_limit",   "IMS_GPU_MEM_LIMIT",      INT,  "0",      "MiB of a GPU's memory that the runtime's arena may take per session (CUDA, MIGraphX, what TensorRT leaves to CUDA), up to 1048576; 0 = no limit of ours.") \
    X(THREADS,         "threads",         "IMS_THREADS",            INT,  "0",      "Threads for inference and decoding; 0 = as many as this process may use.") \
    X(GPU_BATCH_SIZE,  "gpu_batch_size",  "GPU_BATCH_SIZE",         INT,  "16",     "Most pictures per inference batch, 1 to 1024, or auto (64); up to that, each device gets as many as prove fastest on it.") \
    X(CPU,             "cpu",             "IMS_CPU",                STR,  "",       "Highest instruction set for our own loops: generic, avx2, avx512, neon; empty = best.") \
    X(LOG_LEVEL,       "log_level",       "IMS_LOG_LEVEL LOG_LEVEL", STR, "info",   "debug, info, warning, error or off.") \
    X(LOG_FORMAT,      "log_format",      "IMS_LOG_FORMAT",         STR,  "text",   "text or json.") \
    X(MAX_IMAGE_MPX,   "max_image_mpx",   "IMS_MAX_IMAGE_MPX",      INT,  "200",    "Pictures of more megapixels are refused, 1 to 10000.") \
    X(FACES,           "faces",           "IMS_FACES",              BOOL, "true",   "Look for faces while indexing.") \
    X(FACE_MODEL_NAME, "face_model_name", "FACE_MODEL_NAME",        STR,  "",       "Installed face models by name, e.g. buffalo_l, or the path of their folder; empty takes buffalo_l, or the only ones installed.") \
    X(SEARCH_EXACT,    "search_exact",    "IMS_SEARCH_EXACT",       BOOL, "false",  "Every search reads every vector in full, as with --exact.") \
    X(SEARCH_MISS,     "search_miss",     "IMS_SEARCH_MISS",        REAL, "0.001",  "The probability that a search of a large library misses one of the true best, 0.000001 to 0.4.") \
    X(MIN_FACE_SCORE,  "min_face_score",  "IMS_MIN_FACE_SCORE",     REAL, "0.5",    "Faces that the detector is less sure of are left out, 0.05 to 1.") \
    X(MIN_FACE_SIZE,   "min_face_size",   "IMS_MIN_FACE_SIZE",      INT,  "20",     "Faces of fewer pixels in width or height are left out, 1 to 10000.") \
    X(HOST,            "host",            "IMS_HOST",               STR,  "127.0.0.1", "Address that `imgsearch serve` listens on. Any but loopback needs a token.") \
    X(PORT,            "port",            "IMS_PORT PORT",          INT,  "8000",   "Port that `imgsearch serve` listens on; 0 = any free one.") \
    X(TOKEN,           "token",           "IMS_TOKEN",              STR,  "",       "What clients of `imgsearch serve` must show; at least 16 characters. Empty: none, and loopback only.") \
    X(ALLOWED_HOSTS,   "allowed_hosts",   "IMS_ALLOWED_HOSTS",      STR,  "",       "Further names under which clients reach the server, separated by commas.") \
    X(CORS_ORIGINS,    "cors_origins",    "IMS_CORS_ORIGINS",       STR,  "",       "Further origins whose pages may use the server, such as https://photos.example, separated by commas.") \
    X(ENABLE_CORS,     "enable_cors",     "ENABLE_CORS",            BOOL, "true",   "Answer pages of loopback and configured origins; false: only the server's own pages.") \
    X(ALLOW_DESTRUCTIVE, "allow_destructive", "ALLOW_DESTRUCTIVE_ADMIN_OPS", BOOL, "false", "Allow requests that delete data.") \
    X(CHECK_REPLIES,   "check_replies",   "IMS_CHECK_REPLIES",      BOOL, "false",  "Hold every reply of the server against its contract; a difference is an error. For tests.") \
    X(WATCH_ENABLED,   "watch_enabled",   "WATCH_ENABLED",          BOOL, "false",  "`imgsearch serve` follows the library's folders: what is new, changed or gone is noticed by itself.") \
    X(WATCH_DEBOUNCE,  "watch_debounce_seconds", "WATCH_DEBOUNCE_SECONDS", REAL, "1.0", "Seconds without a change in a folder before the watcher hands it over, 0.05 to 3600.") \
    X(WATCH_AUTO_TRAIN, "watch_auto_train", "WATCH_AUTO_TRAIN",     BOOL, "false",  "The watcher has new pictures indexed; false: they are registered and wait for an indexing run.") \
    X(WATCH_POLL,      "watch_poll_seconds", "IMS_WATCH_POLL_SECONDS", REAL, "60", "Seconds between two looks at folders whose changes the system does not tell (network shares), 0.2 to 86400.") \
    X(FACE_MODEL_CHECKPOINT, "face_model_checkpoint", "FACE_MODEL_CHECKPOINT", PATH,  "",       "File that also receives a face training that is kept.") \
    X(FACE_TRAINING_ENABLED, "face_training_enabled", "FACE_TRAINING_ENABLED", BOOL, "false",  "Whether `imgsearch faces train` may learn from named faces.") \
    X(FACE_TRIPLET_MARGIN, "face_triplet_margin", "FACE_TRIPLET_MARGIN", REAL,  "0.2",    "Face training: how much nearer one's own faces shall be than others', above 0 to 1.") \
    X(FACE_TRAINING_EPOCHS, "face_training_epochs", "FACE_TRAINING_EPOCHS", INT, "20", "Face training: how often every face is seen at most, 1 to 1000.") \
    X(FACE_BATCH_SIZE, "face_batch_size", "FACE_BATCH_SIZE",        INT,       "32",     "Face training: faces compared at a time, 4 to 256.") \
    X(FACE_LEARNING_RATE, "face_learning_rate", "FACE_LEARNING_RATE", REAL,  "0.0001", "Face training: step of the optimiser, 0.000001 to 0.1.") \
    X(REDIS_URL,       "redis_url",       "REDIS_URL",              UNBUILT, "",    "Redis queue; not part of this release.") \
    X(QDRANT_URL,      "qdrant_url",      "QDRANT_URL",             UNBUILT, "",    "Qdrant vector store; not part of this release.")
/* clang-format on */

#endif
