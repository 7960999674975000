/* Settings and their sources.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/config.h"
#include "base/fs.h"

#include <stdio.h>
#include <string.h>

static void write_text(char *path, size_t size, const char *name, const char *text)
{
    ims_err err;

    snprintf(path, size, "%s/%s", test_tmp_dir(), name);
    CHECK_OK(ims__write_file(path, text, strlen(text), &err), err);
}

TEST(precedence, "flag beats environment beats .env beats config file beats default")
{
    static const char *const env[] = { "DEVICE=cuda", "IMS_THREADS=", "UNRELATED=x", "broken", NULL };
    char dotenv[700], file[700];
    struct ims_config_sources sources = { .environ_list = env };
    struct ims_config *c = NULL;
    ims_err err;

    write_text(dotenv, sizeof(dotenv), ".env",
               "# comment\n\nexport DEVICE=webgpu\nIMS_THREADS = 3\nGPU_BATCH_SIZE='8'\nLOG_LEVEL=INFO\nOTHER=1\n");
    write_text(file, sizeof(file), "config", "device = cpu\nthreads = 5\ngpu_batch_size = 4\nthumbnail_size = 128\n");
    sources.dotenv_path = dotenv;
    sources.file_path = file;
    CHECK_OK(ims__config_load(&c, &sources, &err), err);
    CHECK_STR(ims__config_str(c, IMS_CFG_DEVICE), "cuda");
    CHECK_INT(ims__config_source(c, IMS_CFG_DEVICE), IMS_CFG_FROM_ENV);
    CHECK_INT(ims__config_int(c, IMS_CFG_THREADS), 3);
    CHECK_INT(ims__config_int(c, IMS_CFG_GPU_BATCH_SIZE), 8);
    CHECK_INT(ims__config_int(c, IMS_CFG_THUMBNAIL_SIZE), 128);
    CHECK_INT(ims__config_source(c, IMS_CFG_THUMBNAIL_SIZE), IMS_CFG_FROM_FILE);
    CHECK_STR(ims__config_str(c, IMS_CFG_LOG_LEVEL), "info");
    CHECK_INT(ims__config_int(c, IMS_CFG_MAX_IMAGE_MPX), 200);
    CHECK_OK(ims__config_set(c, IMS_CFG_DEVICE, "cpu", &err), err);
    CHECK_STR(ims__config_str(c, IMS_CFG_DEVICE), "cpu");
    CHECK_STR(ims__config_source_name(ims__config_source(c, IMS_CFG_DEVICE)), "flag");
    ims__config_free(c);
}

TEST(automatic, "auto is a number only where it may stand for one")
{
    static const char *const env[] = { "GPU_BATCH_SIZE=auto", NULL };
    struct ims_config_sources sources = { .environ_list = env };
    struct ims_config *c = NULL;
    ims_err err;

    CHECK_OK(ims__config_load(&c, &sources, &err), err);
    CHECK_INT(ims__config_int(c, IMS_CFG_GPU_BATCH_SIZE), 64);
    CHECK_STATUS(ims__config_set(c, IMS_CFG_THREADS, "auto", &err), IMS_E_CONFIG, err);
    CHECK_STATUS(ims__config_set(c, IMS_CFG_GPU_BATCH_SIZE, "Auto", &err), IMS_E_CONFIG, err);
    CHECK_STATUS(ims__config_set(c, IMS_CFG_GPU_BATCH_SIZE, "0", &err), IMS_E_CONFIG, err);
    ims__config_free(c);
}

TEST(bad_values, "a wrong value names the setting, its source and what would be right")
{
    static const char *const env[] = { "IMS_THREADS=many", NULL };
    struct ims_config_sources sources = { .environ_list = env };
    struct ims_config *c = NULL;
    char file[700];
    ims_err err;

    CHECK_STATUS(ims__config_load(&c, &sources, &err), IMS_E_CONFIG, err);
    CHECK(strstr(err.text, "threads") && strstr(err.text, "many") && strstr(err.text, "environment") &&
          strstr(err.text, "0 to 1024"));
    sources.environ_list = NULL;
    write_text(file, sizeof(file), "config", "threads = 2\ncolour = red\n");
    sources.file_path = file;
    CHECK_STATUS(ims__config_load(&c, &sources, &err), IMS_E_CONFIG, err);
    CHECK(strstr(err.text, ":2:") && strstr(err.text, "colour"));
    write_text(file, sizeof(file), "config", "log_level = loud\n");
    CHECK_STATUS(ims__config_load(&c, &sources, &err), IMS_E_CONFIG, err);
    CHECK(strstr(err.text, "debug info warning error off"));
}

TEST(unbuilt, "a setting of a part that does not exist is an error, never ignored")
{
    static const char *const env[] = { "QDRANT_URL=http://localhost:6333", NULL };
    struct ims_config_sources sources = { .environ_list = env };
    struct ims_config *c = NULL;
    ims_err err;

    CHECK_OK(ims__config_load(&c, &sources, &err), err);
    CHECK_STATUS(ims__config_check(c, &err), IMS_E_CONFIG, err);
    CHECK(strstr(err.text, "QDRANT_URL (environment)"));
    ims__config_free(c);
}

TEST(foreign_dotenv, "the .env of the Python service is understood: other names, comments, quotes, odd lines")
{
    char dotenv[700];
    struct ims_config_sources sources = { .dotenv_path = dotenv };
    struct ims_config *c = NULL;
    ims_err err;

    write_text(dotenv, sizeof(dotenv), ".env",
               "DATABASE_URL=postgresql+asyncpg://u:p#1@localhost:5432/image_search\n"
               "REDIS_URL=redis://localhost:6379/0\r\n"
               "QDRANT_URL=\"http://localhost:6333\" # the container\n"
               "LOG_LEVEL=INFO   # or DEBUG\n"
               "IMAGE_ROOT_DIR='/my # photos'\n"
               "THUMBNAIL_SIZE= # default\n"
               "CLIP_PRETRAINED = \"openai\"\n"
               "CLIP_MODEL_NAME=\"it's\n"
               "PRIVATE_KEY=\"-----BEGIN\nabcdef\n-----END\"\n"
               "just words\n");
    CHECK_OK(ims__config_load(&c, &sources, &err), err);
    CHECK_STR(ims__config_str(c, IMS_CFG_DATABASE_URL), "postgresql+asyncpg://u:p#1@localhost:5432/image_search");
    CHECK_STR(ims__config_str(c, IMS_CFG_REDIS_URL), "redis://localhost:6379/0");
    CHECK_STR(ims__config_str(c, IMS_CFG_QDRANT_URL), "http://localhost:6333");
    CHECK_STR(ims__config_str(c, IMS_CFG_LOG_LEVEL), "info");
    CHECK_STR(ims__config_str(c, IMS_CFG_IMAGE_ROOT_DIR), "/my # photos");
    CHECK_INT(ims__config_int(c, IMS_CFG_THUMBNAIL_SIZE), 256);
    CHECK_STR(ims__config_str(c, IMS_CFG_CLIP_PRETRAINED), "openai");
    CHECK_STR(ims__config_str(c, IMS_CFG_CLIP_MODEL_NAME), "\"it's");
    CHECK_STATUS(ims__config_check(c, &err), IMS_E_CONFIG, err);
    CHECK(strstr(err.text, "REDIS_URL (.env), QDRANT_URL (.env)") && strstr(err.text, "without that .env"));
    CHECK(ims__config_is_secret(IMS_CFG_REDIS_URL)); /* it may hold a password */
    ims__config_free(c);
    sources.dotenv_path = test_tmp_dir(); /* a folder called .env */
    CHECK_OK(ims__config_load(&c, &sources, &err), err);
    ims__config_free(c);
}
