/* The operations of api/openapi.yaml and who answers them, one IMS_ROUTE(operationId, handler) a line.
 * Included where a declaration or a row is made of each.
 * SPDX-License-Identifier: Apache-2.0 */

/* ---- the service ---- */
IMS_ROUTE(health, ims__api_health)
IMS_ROUTE(ready, ims__api_ready)
IMS_ROUTE(metrics, ims__api_metrics)
IMS_ROUTE(openapi, ims__api_openapi)
IMS_ROUTE(docs, ims__api_docs)
IMS_ROUTE(webIndex, ims__api_web_index)
IMS_ROUTE(webFile, ims__api_web_file)
IMS_ROUTE(login, ims__api_login)
IMS_ROUTE(logout, ims__api_logout)

/* ---- images ---- */
IMS_ROUTE(imageThumbnail, ims__api_image_thumbnail)
IMS_ROUTE(imagePreview, ims__api_image_preview)
IMS_ROUTE(imageFull, ims__api_image_full)
IMS_ROUTE(imageThumbnailsBatch, ims__api_image_thumbnails_batch)
IMS_ROUTE(imageThumbnailGenerate, ims__api_image_thumbnail_generate)

/* ---- assets ---- */
IMS_ROUTE(assetsList, ims__api_assets_list)
IMS_ROUTE(assetsIngest, ims__api_assets_ingest)
IMS_ROUTE(assetGet, ims__api_asset_get)
IMS_ROUTE(assetHistory, ims__api_asset_history)
IMS_ROUTE(assetFailures, ims__api_asset_failures)
IMS_ROUTE(placesList, ims__api_places_list)

/* ---- evidence ---- */
IMS_ROUTE(evidenceList, ims__api_evidence_list)
IMS_ROUTE(evidenceGet, ims__api_evidence_get)
IMS_ROUTE(evidenceDetail, ims__api_evidence_detail)
IMS_ROUTE(evidenceDelete, ims__api_evidence_delete)
IMS_ROUTE(sessionEvidenceStats, ims__api_session_evidence_stats)

/* ---- search ---- */
IMS_ROUTE(search, ims__api_search)
IMS_ROUTE(searchImage, ims__api_search_image)
IMS_ROUTE(searchSimilar, ims__api_search_similar)
IMS_ROUTE(searchHybrid, ims__api_search_hybrid)
IMS_ROUTE(searchCompose, ims__api_search_compose)

/* ---- categories ---- */
IMS_ROUTE(categoriesList, ims__api_categories_list)
IMS_ROUTE(categoryCreate, ims__api_category_create)
IMS_ROUTE(categoryGet, ims__api_category_get)
IMS_ROUTE(categoryUpdate, ims__api_category_update)
IMS_ROUTE(categoryDelete, ims__api_category_delete)

/* ---- training sessions ---- */
IMS_ROUTE(sessionsList, ims__api_sessions_list)
IMS_ROUTE(sessionCreate, ims__api_session_create)
IMS_ROUTE(sessionGet, ims__api_session_get)
IMS_ROUTE(sessionUpdate, ims__api_session_update)
IMS_ROUTE(sessionDelete, ims__api_session_delete)
IMS_ROUTE(sessionStart, ims__api_session_start)
IMS_ROUTE(sessionPause, ims__api_session_pause)
IMS_ROUTE(sessionCancel, ims__api_session_cancel)
IMS_ROUTE(sessionRestart, ims__api_session_restart)
IMS_ROUTE(sessionRestartTraining, ims__api_session_restart_training)
IMS_ROUTE(sessionRestartFaces, ims__api_session_restart_faces)
IMS_ROUTE(sessionRestartClustering, ims__api_session_restart_clustering)
IMS_ROUTE(sessionProgress, ims__api_session_progress)
IMS_ROUTE(sessionProgressUnified, ims__api_session_progress_unified)
IMS_ROUTE(sessionJobs, ims__api_session_jobs)
IMS_ROUTE(trainingJobGet, ims__api_training_job_get)
IMS_ROUTE(sessionThumbnails, ims__api_session_thumbnails)
IMS_ROUTE(sessionSubdirectories, ims__api_session_subdirectories)
IMS_ROUTE(sessionSelect, ims__api_session_select)

/* ---- training directories ---- */
IMS_ROUTE(directoriesScan, ims__api_directories_scan)
IMS_ROUTE(directoriesList, ims__api_directories_list)
IMS_ROUTE(directoriesPreview, ims__api_directories_preview)
IMS_ROUTE(directoriesPreviewThumbnail, ims__api_directories_preview_thumbnail)
IMS_ROUTE(directoryIgnore, ims__api_directory_ignore)
IMS_ROUTE(directoryUnignore, ims__api_directory_unignore)
IMS_ROUTE(directoriesIgnored, ims__api_directories_ignored)
IMS_ROUTE(scanIncremental, ims__api_scan_incremental)

/* ---- background work ---- */
IMS_ROUTE(queuesList, ims__api_queues_list)
IMS_ROUTE(queueGet, ims__api_queue_get)
IMS_ROUTE(jobGet, ims__api_job_get)
IMS_ROUTE(workersList, ims__api_workers_list)

/* ---- progress of jobs ---- */
IMS_ROUTE(jobEvents, ims__api_job_events)
IMS_ROUTE(jobStatus, ims__api_job_status)

/* ---- faces and their clusters ---- */
IMS_ROUTE(clustersList, ims__api_clusters_list)
IMS_ROUTE(clusterGet, ims__api_cluster_get)
IMS_ROUTE(clusterLabel, ims__api_cluster_label)
IMS_ROUTE(assetFaces, ims__api_asset_faces)
IMS_ROUTE(faceThumbnail, ims__api_face_thumbnail)
IMS_ROUTE(faceAssign, ims__api_face_assign)
IMS_ROUTE(faceUnassign, ims__api_face_unassign)
IMS_ROUTE(faceReject, ims__api_face_reject)
IMS_ROUTE(faceCandidates, ims__api_face_candidates)
IMS_ROUTE(clusterSplit, ims__api_cluster_split)
IMS_ROUTE(clusterDismiss, ims__api_cluster_dismiss)
IMS_ROUTE(facesCluster, ims__api_faces_cluster)
IMS_ROUTE(facesClusterDual, ims__api_faces_cluster_dual)
IMS_ROUTE(facesTrain, ims__api_faces_train)
IMS_ROUTE(facesDetect, ims__api_faces_detect)

/* ---- persons ---- */
IMS_ROUTE(peopleList, ims__api_people_list)
IMS_ROUTE(personsList, ims__api_persons_list)
IMS_ROUTE(personGet, ims__api_person_get)
IMS_ROUTE(personCreate, ims__api_person_create)
IMS_ROUTE(personUpdate, ims__api_person_update)
IMS_ROUTE(personDelete, ims__api_person_delete)
IMS_ROUTE(personPhotos, ims__api_person_photos)
IMS_ROUTE(personPhotosRemove, ims__api_person_photos_remove)
IMS_ROUTE(personPhotosMove, ims__api_person_photos_move)
IMS_ROUTE(personRegenerate, ims__api_person_regenerate)
IMS_ROUTE(personHistory, ims__api_person_history)
IMS_ROUTE(eventUndo, ims__api_event_undo)
IMS_ROUTE(personMerge, ims__api_person_merge)
IMS_ROUTE(personUnmerge, ims__api_person_unmerge)
IMS_ROUTE(personSplit, ims__api_person_split)

/* ---- prototypes ---- */
IMS_ROUTE(prototypesList, ims__api_prototypes_list)
IMS_ROUTE(prototypePin, ims__api_prototype_pin)
IMS_ROUTE(prototypeUnpin, ims__api_prototype_unpin)
IMS_ROUTE(prototypeDelete, ims__api_prototype_delete)
IMS_ROUTE(prototypesRecompute, ims__api_prototypes_recompute)
IMS_ROUTE(temporalCoverage, ims__api_temporal_coverage)

/* ---- suggestions ---- */
IMS_ROUTE(suggestionsList, ims__api_suggestions_list)
IMS_ROUTE(suggestionsStats, ims__api_suggestions_stats)
IMS_ROUTE(suggestionGet, ims__api_suggestion_get)
IMS_ROUTE(suggestionAccept, ims__api_suggestion_accept)
IMS_ROUTE(suggestionReject, ims__api_suggestion_reject)
IMS_ROUTE(suggestionsBulk, ims__api_suggestions_bulk)
IMS_ROUTE(findMore, ims__api_find_more)
IMS_ROUTE(findMoreCentroid, ims__api_find_more_centroid)

/* ---- centroids ---- */
IMS_ROUTE(centroidsGet, ims__api_centroids_get)
IMS_ROUTE(centroidsDelete, ims__api_centroids_delete)
IMS_ROUTE(centroidsCompute, ims__api_centroids_compute)
IMS_ROUTE(centroidsSuggest, ims__api_centroids_suggest)

/* ---- unknown persons ---- */
IMS_ROUTE(unknownStats, ims__api_unknown_stats)
IMS_ROUTE(unknownDiscover, ims__api_unknown_discover)
IMS_ROUTE(unknownList, ims__api_unknown_list)
IMS_ROUTE(unknownPairs, ims__api_unknown_pairs)
IMS_ROUTE(unknownMerge, ims__api_unknown_merge)
IMS_ROUTE(unknownGroup, ims__api_unknown_group)
IMS_ROUTE(unknownAccept, ims__api_unknown_accept)
IMS_ROUTE(unknownDismiss, ims__api_unknown_dismiss)

/* ---- face sessions ---- */
IMS_ROUTE(faceSessionsList, ims__api_face_sessions_list)
IMS_ROUTE(faceSessionCreate, ims__api_face_session_create)
IMS_ROUTE(faceSessionGet, ims__api_face_session_get)
IMS_ROUTE(faceSessionPause, ims__api_face_session_pause)
IMS_ROUTE(faceSessionResume, ims__api_face_session_resume)
IMS_ROUTE(faceSessionDelete, ims__api_face_session_delete)
IMS_ROUTE(faceSessionEvents, ims__api_face_session_events)

/* ---- vectors ---- */
IMS_ROUTE(vectorsDeleteByDirectory, ims__api_vectors_delete_directory)
IMS_ROUTE(vectorsRetrain, ims__api_vectors_retrain)
IMS_ROUTE(vectorsDirectories, ims__api_vectors_directories)
IMS_ROUTE(vectorsDeleteByAsset, ims__api_vectors_delete_asset)
IMS_ROUTE(vectorsDeleteBySession, ims__api_vectors_delete_session)
IMS_ROUTE(vectorsDeleteByCategory, ims__api_vectors_delete_category)
IMS_ROUTE(vectorsCleanupOrphans, ims__api_vectors_cleanup)
IMS_ROUTE(vectorsReset, ims__api_vectors_reset)
IMS_ROUTE(vectorsDeletionLogs, ims__api_vectors_log)

/* ---- settings ---- */
IMS_ROUTE(matchingGet, ims__api_matching_get)
IMS_ROUTE(matchingPut, ims__api_matching_put)
IMS_ROUTE(suggestionPagingGet, ims__api_paging_get)
IMS_ROUTE(suggestionPagingPut, ims__api_paging_put)
IMS_ROUTE(unknownClusteringGet, ims__api_unknown_get)
IMS_ROUTE(unknownClusteringPut, ims__api_unknown_put)
IMS_ROUTE(settingsList, ims__api_settings_list)
IMS_ROUTE(settingPut, ims__api_setting_put)

/* ---- administration ---- */
IMS_ROUTE(adminDeleteAll, ims__api_admin_delete_all)
IMS_ROUTE(personsExport, ims__api_persons_export)
IMS_ROUTE(personsImport, ims__api_persons_import)

/* ---- the watcher ---- */
IMS_ROUTE(watcherStatus, ims__api_watcher_status)
IMS_ROUTE(watcherStart, ims__api_watcher_start)
IMS_ROUTE(watcherStop, ims__api_watcher_stop)
