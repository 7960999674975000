/* imgsearch index, end to end: what gets in, what fails and why, what a second run does, what a kill costs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "integration/library.h"

#include "base/buf.h"
#include "base/text.h"
#include "db/db.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char png_30000[] = "\x89PNG\r\n\x1a\n"
                                "\x00\x00\x00\x0dIHDR\x00\x00\x75\x30\x00\x00\x75\x30\x08\x02\x00\x00\x00\xe9\x45\x6f\xed"
                                "\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e\x00\x00\x00\x00IEND\xae\x42\x60\x82";

static void make_link(struct library *l, const char *target, const char *name)
{
    char path[1300];

    snprintf(path, sizeof(path), "%s/%s", l->photos, name);
    CHECK_INT(symlink(target, path), 0);
}

static const char *photo_path(struct library *l, const char *name)
{
    static char paths[4][1300];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", l->photos, name);
    return path;
}

TEST(second_run, "a second run takes only what is new, changed or moved, and marks what is gone")
{
    struct library l;
    char words[1400];
    long long id;
    ims_json *v;

    library_init(&l);
    for (size_t i = 0; i < 6; i++) {
        char name[40];

        snprintf(name, sizeof(name), "a/%zu.jpg", i);
        library_copy(&l, library_demo_jpeg(i), name);
    }
    CHECK_INT(library_index(&l, "processed"), 6);
    CHECK_INT(library_index(&l, "processed"), 0);
    CHECK_INT(library_status(&l, "done"), 6);

    snprintf(words, sizeof(words), "show\n--json\n%s", photo_path(&l, "a/1.jpg"));
    v = library_run(&l, 0, words);
    id = ims__json_int(ims__json_get(v, "id"), -1);
    ims__json_free(v);
    CHECK_INT(mkdir(photo_path(&l, "b"), 0755), 0);
    CHECK_INT(rename(photo_path(&l, "a/1.jpg"), photo_path(&l, "b/moved.jpg")), 0);
    CHECK_INT(unlink(photo_path(&l, "a/2.jpg")), 0);
    library_copy(&l, library_demo_jpeg(7), "a/3.jpg"); /* other content under a known name */
    library_copy(&l, library_demo_jpeg(4), "b/again.jpg"); /* known content under a new name */
    library_copy(&l, library_demo_jpeg(8), "b/new.jpg");
    CHECK_INT(library_index(&l, "errors"), 0);
    CHECK_INT(library_status(&l, "assets"), 7); /* 6, minus one deleted, plus a copy and a new one */
    CHECK_INT(library_status(&l, "done"), 7);
    CHECK_INT(library_status(&l, "contents"), 6);

    snprintf(words, sizeof(words), "show\n--json\n%s", photo_path(&l, "b/moved.jpg"));
    v = library_run(&l, 0, words);
    CHECK_INT(ims__json_int(ims__json_get(v, "id"), -1), id); /* a moved file keeps its number */
    ims__json_free(v);
    CHECK_INT(library_index(&l, "processed"), 0);
}

TEST(duplicates, "files of equal content share one vector and are all found")
{
    struct library l;
    char words[1400];
    ims_json *v;

    library_init(&l);
    for (int i = 0; i < 5; i++) {
        char name[40];

        snprintf(name, sizeof(name), "copy%d.jpg", i);
        library_copy(&l, library_demo_jpeg(0), name);
    }
    library_copy(&l, library_demo_jpeg(1), "other.jpg");
    CHECK_INT(library_index(&l, "processed"), 6);
    CHECK_INT(library_status(&l, "vectors"), 2);
    snprintf(words, sizeof(words), "similar\n--json\n%s", photo_path(&l, "copy2.jpg"));
    v = library_run(&l, 0, words);
    CHECK_INT(ims__json_int(ims__json_get(v, "total"), -1), 5);
    for (size_t i = 0; i < 4; i++) {
        const ims_json *hit = ims__json_at(ims__json_get(v, "results"), i);

        CHECK_NEAR(ims__json_num(ims__json_get(hit, "score"), 0), 1.0, 1e-5);
        CHECK(strstr(ims__json_str(ims__json_get(ims__json_get(hit, "asset"), "path"), NULL), "copy"));
    }
    ims__json_free(v);
}

TEST(bad_files, "every kind of bad file fails with its own named reason and stops nothing else")
{
    struct library l;
    size_t n;
    char *jpeg = test_read_file(test_source_path(library_demo_jpeg(0)), &n);

    library_init(&l);
    library_copy(&l, library_demo_jpeg(1), "good.jpg");
    library_write(&l, "zero.jpg", "", 0);
    library_write(&l, "half.jpg", jpeg, n / 2);
    library_write(&l, "text.jpg", "this is no picture at all\n", 26);
    library_write(&l, "huge.png", png_30000, sizeof(png_30000) - 1);
    library_write(&l, "notes.txt", "not looked at", 13);
    CHECK_INT(mkfifo(photo_path(&l, "pipe.jpg"), 0644), 0);
    make_link(&l, ".", "loop");
    make_link(&l, "loop.jpg", "loop.jpg");
    CHECK_INT(library_index(&l, "processed"), 1);
    CHECK_STR(library_failure(&l, "zero.jpg"), "truncated");
    CHECK_STR(library_failure(&l, "half.jpg"), "truncated");
    CHECK_STR(library_failure(&l, "text.jpg"), "not_a_picture");
    CHECK_STR(library_failure(&l, "huge.png"), "too_large");
    CHECK_STR(library_failure(&l, "good.jpg"), "");
    CHECK_INT(library_status(&l, "assets"), 5);
    CHECK_INT(library_status(&l, "failed"), 4);
    CHECK_INT(library_index(&l, "known_failures"), 4); /* not tried again while they stay as they are */
    library_copy(&l, library_demo_jpeg(2), "half.jpg");
    CHECK_INT(library_index(&l, "processed"), 1); /* mended */
    CHECK_INT(library_status(&l, "failed"), 3);
    free(jpeg);
}

TEST(odd_pictures, "animations, CMYK, grey, 16-bit, palettes, HEIC and AVIF all get in")
{
    static const char *const names[] = { "animated.gif", "animated.webp", "cmyk.jpg", "cmyk.tif", "grey16.png", "la.png",
                                         "palette_alpha.png", "rgb16.png", "pages.tif", "plain.heic", "plain.avif",
                                         "o5.avif", "bilevel.png", "p3.jpg", "bad_icc.jpg", "bad_exif.jpg" };
    struct library l;
    size_t n = sizeof(names) / sizeof(names[0]);

    library_init(&l);
    for (size_t i = 0; i < n; i++) {
        char source[100];

        snprintf(source, sizeof(source), "tests/golden/media/files/%s", names[i]);
        library_copy(&l, source, names[i]);
    }
    CHECK_INT(library_index(&l, "processed"), n);
    CHECK_INT(library_status(&l, "failed"), 0);
}

TEST(odd_names, "names with line ends, quotes and bytes that are no UTF-8 get in and come out unharmed")
{
    static const char *const names[] = { "new\nline.jpg", "tab\tand \"quotes\".jpg", "bad\xff\xfe.jpg", "back\\slash.jpg",
                                         "-option.jpg", " .jpg", "\xc3\xa9t\xc3\xa9.JPG" };
    struct library l;
    char words[200];
    ims_json *v;
    size_t n = sizeof(names) / sizeof(names[0]), seen = 0;

    library_init(&l);
    for (size_t i = 0; i < n; i++)
        library_copy(&l, library_demo_jpeg(i), names[i]);
    CHECK_INT(library_index(&l, "processed"), n);
    snprintf(words, sizeof(words), "search\n--json\nhouse");
    v = library_run(&l, 0, words);
    for (size_t i = 0; i < ims__json_len(ims__json_get(v, "results")); i++) {
        const ims_json *asset = ims__json_get(ims__json_at(ims__json_get(v, "results"), i), "asset");
        const char *shown = ims__json_str(ims__json_get(asset, "filename"), NULL);
        struct ims_buf back;

        ims__buf_init(&back, 1000);
        CHECK_INT(ims__undisplay(shown, strlen(shown), &back), IMS_OK);
        for (size_t k = 0; k < n; k++)
            seen += strcmp(back.data, names[k]) == 0;
        ims__buf_release(&back);
    }
    CHECK_INT(seen, n);
    ims__json_free(v);
}

TEST(permission, "an unreadable file and folder are named, keep the rest, and are tried again later")
{
    struct library l;
    struct run_options o = { .no_override = true };
    struct run_result r;
    char words[800];

    library_init(&l);
    library_copy(&l, library_demo_jpeg(0), "good.jpg");
    CHECK_INT(chmod(library_copy(&l, library_demo_jpeg(1), "secret.jpg"), 0), 0);
    library_copy(&l, library_demo_jpeg(2), "closed/inside.jpg");
    CHECK_INT(chmod(photo_path(&l, "closed"), 0), 0);
    snprintf(words, sizeof(words), "index\n--json\n--quiet\n%s", l.photos);
    library_run_with(&l, &o, &r, words);
    chmod(photo_path(&l, "closed"), 0755);
    CHECK_INT(r.exit_code, 0);
    CHECK(strstr(r.out, "\"failed_folders\": 1"));
    CHECK(strstr(r.err, "folder_unreadable"));
    run_release(&r);
    CHECK_STR(library_failure(&l, "secret.jpg"), "no_permission");
    CHECK_INT(library_status(&l, "done"), 1);
    CHECK_INT(chmod(photo_path(&l, "secret.jpg"), 0644), 0);
    CHECK_INT(library_index(&l, "processed"), 2);
    CHECK_INT(library_status(&l, "done"), 3);
}

TEST(vanished_folder, "a folder that is gone is an error and deletes nothing from the library")
{
    struct library l;
    char words[800];

    library_init(&l);
    library_copy(&l, library_demo_jpeg(0), "a.jpg");
    CHECK_INT(library_index(&l, "processed"), 1);
    CHECK_INT(unlink(photo_path(&l, "a.jpg")), 0);
    CHECK_INT(rmdir(l.photos), 0);
    snprintf(words, sizeof(words), "index\n%s", l.photos);
    library_run(&l, ims_status_exit(IMS_E_NOT_FOUND), words);
    CHECK_INT(library_status(&l, "assets"), 1);
    CHECK_INT(library_status(&l, "deleted"), 0);
}

TEST(overlapping, "a folder named twice, or inside another one that is named, is walked once")
{
    struct library l;
    char words[2200];
    ims_json *v;

    library_init(&l);
    library_copy(&l, library_demo_jpeg(0), "a.jpg");
    library_copy(&l, library_demo_jpeg(1), "sub/b.jpg");
    snprintf(words, sizeof(words), "index\n--json\n--quiet\n%s/sub\n%s\n%s/\n%s/sub", l.photos, l.photos, l.photos,
             l.photos);
    v = library_run(&l, 0, words);
    CHECK_INT(ims__json_int(ims__json_get(v, "found"), -1), 2);
    CHECK_INT(ims__json_int(ims__json_get(v, "processed"), -1), 2);
    CHECK_INT(ims__json_int(ims__json_get(v, "unchanged"), -1), 0);
    ims__json_free(v);
}

TEST(busy, "a second index of the same library is refused while the first one runs")
{
    struct library l;
    char words[800], lock[700];
    struct run_result r;
    struct run_options o = { 0 };
    pid_t pid;
    int ready[2];
    char c;

    library_init(&l);
    library_copy(&l, library_demo_jpeg(0), "a.jpg");
    CHECK_INT(library_index(&l, "processed"), 1);
    snprintf(lock, sizeof(lock), "%s/index.lock", l.data);
    CHECK_INT(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        struct flock want = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        int fd = open(lock, O_RDWR);

        if (fcntl(fd, F_SETLK, &want) != 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    CHECK(read(ready[0], &c, 1) == 1);
    snprintf(words, sizeof(words), "index\n%s", l.photos);
    library_run_with(&l, &o, &r, words);
    CHECK_INT(r.exit_code, ims_status_exit(IMS_E_BUSY));
    CHECK(strstr(r.err, "is indexing this library"));
    run_release(&r);
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, NULL, 0) == pid);
    close(ready[0]);
    close(ready[1]);
    CHECK_INT(library_index(&l, "processed"), 0);
}

static void fill_with_demo(struct library *l, size_t n)
{
    for (size_t i = 0; i < n && library_demo_jpeg(i); i++) {
        char name[60];

        snprintf(name, sizeof(name), "%zu/p%zu.jpg", i % 7, i);
        library_copy(l, library_demo_jpeg(i), name);
        if (i % 10 == 0) {
            snprintf(name, sizeof(name), "copies/p%zu.jpg", i);
            library_copy(l, library_demo_jpeg(i), name);
        }
    }
    library_write(l, "bad.jpg", "no picture", 10);
}

static bool has_begun(void *arg)
{
    struct library *l = arg;

    return library_sql_number(l, "SELECT COUNT(*) FROM work WHERE state = 'done'") > 0;
}

TEST(interrupted, "SIGINT ends with exit code 130, keeps what is done, and the next run goes on")
{
    struct library l;
    struct run_options o = { .interrupt_when = has_begun, .arg = &l };
    struct run_result r;
    char words[800];
    long long done, total;

    library_init(&l);
    library_index(&l, "processed"); /* makes the database */
    fill_with_demo(&l, 90);
    snprintf(words, sizeof(words), "index\n--no-thumbnails\n%s", l.photos);
    library_run_with(&l, &o, &r, words);
    CHECK(r.exit_code == ims_status_exit(IMS_E_CANCELLED) || r.exit_code == 0);
    if (r.exit_code)
        CHECK(strstr(r.out, "Run the same command again"));
    run_release(&r);
    done = library_status(&l, "done");
    CHECK_INT(library_index(&l, "cancelled"), -1); /* a boolean: false, so no number */
    total = library_status(&l, "done");
    CHECK(total >= done);
    CHECK_INT(library_status(&l, "queued"), 0);
    CHECK_INT(library_status(&l, "failed"), 1);
}

#define BREAKS 40

/* Breaks every connection to the library's database, again and again, once the pipeline has its own. */
static int break_connections(const char *server, const char *name)
{
    struct ims_db *db = NULL;
    struct timespec pause = { .tv_nsec = 2000000 };
    int64_t n = 0;

    if (ims_db_open(&db, server, NULL, NULL))
        return 1;
    for (int i = 0; i < 10000 && n < 5; i++) {
        if (ims_db_get_int(db, "SELECT count(*) FROM pg_stat_activity WHERE datname = $1",
                           IMS_DB_ARGS(ims_db_text(name)), &n, NULL, NULL))
            return 2;
        nanosleep(&pause, NULL);
    }
    for (int i = 0; i < BREAKS; i++) {
        if (ims_db_get_int(db, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1",
                           IMS_DB_ARGS(ims_db_text(name)), &n, NULL, NULL))
            return 3;
        nanosleep(&pause, NULL);
    }
    ims_db_close(db);
    return 0;
}

/* A connection that breaks between two transactions is opened again, one that breaks inside a transaction
 * ends the run; which of them happens is a matter of moments. What must hold is what comes after. */
TEST(connection_lost, "connections to the database that break end the run with its error, or not at all, and lose nothing")
{
    struct library l;
    char words[800], name[100];
    struct run_options o = { 0 };
    struct run_result r;
    const char *slash;
    int state;
    pid_t pid;

    library_init(&l);
    if (!l.database_env[0])
        SKIP("SQLite has no connection to lose");
    slash = strstr(l.database_env, "/it_");
    CHECK(slash);
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(slash + 1, "?"), slash + 1);
    fill_with_demo(&l, 60);
    pid = fork();
    if (pid == 0)
        _exit(break_connections(getenv("IMS_TEST_POSTGRES_URL"), name));
    snprintf(words, sizeof(words), "index\n%s", l.photos);
    library_run_with(&l, &o, &r, words);
    CHECK(waitpid(pid, &state, 0) == pid);
    CHECK_INT(WIFEXITED(state) ? WEXITSTATUS(state) : -1, 0);
    CHECK(r.exit_code == 0 || r.exit_code == ims_status_exit(IMS_E_DB));
    CHECK(r.exit_code == 0 || strstr(r.err, "imgsearch: "));
    test_note("exit code %d: %s", r.exit_code, r.err);
    run_release(&r);
    CHECK_INT(library_index(&l, "cancelled"), -1);
    CHECK_INT(library_status(&l, "queued"), 0);
    CHECK_INT(library_status(&l, "failed"), 1);
    CHECK_INT(library_status(&l, "vectors"), library_status(&l, "contents") - 1);
}

/* How long an undisturbed run takes here: sanitizers make it many times longer. */
static unsigned time_index_ms(size_t n)
{
    struct library l;
    struct timespec from, until;

    library_init(&l);
    library_index(&l, "processed"); /* makes the database */
    fill_with_demo(&l, n);
    clock_gettime(CLOCK_MONOTONIC, &from);
    library_index(&l, "processed");
    clock_gettime(CLOCK_MONOTONIC, &until);
    return (unsigned)((until.tv_sec - from.tv_sec) * 1000 + (until.tv_nsec - from.tv_nsec) / 1000000);
}

/* No face without a vector, no small picture without its face. */
static void check_orphans(struct library *l)
{
    ims_json *v = library_run(l, 0, "faces\nfind-orphans\n--json");

    CHECK_INT(ims__json_int(ims__json_get(v, "facesWithoutVector"), -1), 0);
    CHECK_INT(ims__json_int(ims__json_get(v, "facesOfDeleted"), -1), 0);
    CHECK_INT(ims__json_int(ims__json_get(v, "thumbnailsWithoutFace"), -1), 0);
    ims__json_free(v);
}

TEST(killed, "killed 20 times at random moments, every file is done once or failed with a reason")
{
    struct library l;
    char words[800];
    double run_ms = time_index_ms(60);
    uint64_t state = 20260101;
    long long files = 0, faces;
    int n_killed = 0;

    library_init(&l);
    fill_with_demo(&l, 60);
    snprintf(words, sizeof(words), "index\n%s", l.photos);
    for (int i = 0; i < 200 && n_killed < 20; i++) {
        double part = (double)(test_random(&state) % 1000) / 1000; /* squared: later runs have less to do */
        struct run_options o = { .kill_after_ms = 5 + (unsigned)(run_ms * part * part) };
        struct run_result r;
        char late[40];

        snprintf(late, sizeof(late), "late%d.jpg", i); /* something to do when all was done already */
        library_copy(&l, library_demo_jpeg(70 + (size_t)i % 20), late);
        library_run_with(&l, &o, &r, words);
        n_killed += r.signal == SIGKILL;
        if (r.signal != SIGKILL) /* the machine is less busy than it was */
            run_ms *= 0.9;
        CHECK(r.signal == SIGKILL || r.exit_code == 0);
        run_release(&r);
    }
    CHECK_INT(n_killed, 20);
    files = library_index(&l, "found");
    CHECK_INT(library_status(&l, "assets"), files);
    CHECK_INT(library_status(&l, "queued"), 0);
    CHECK_INT(library_status(&l, "failed"), 1);
    CHECK_INT(library_status(&l, "done"), files - 1);
    /* one vector for each content that is done; the failed file's content has none */
    CHECK_INT(library_status(&l, "vectors"), library_status(&l, "contents") - 1);
    CHECK_INT(library_status(&l, "facesDone"), files - 1);
    CHECK_INT(library_status(&l, "facesFailed"), 1);
    check_orphans(&l);
    faces = library_status(&l, "faces");
    CHECK(faces > 0);
    CHECK_INT(library_index(&l, "processed"), 0);
    /* looked for again in peace, they are the same */
    snprintf(words, sizeof(words), "faces\ndetect\n--redo\n--quiet");
    library_run(&l, 0, words);
    CHECK_INT(library_status(&l, "faces"), faces);
}

TEST_MAIN
