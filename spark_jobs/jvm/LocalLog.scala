package millrace

import java.io.{File, FileNotFoundException}

import io.delta.storage.HDFSLogStore
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileStatus, Path}
import org.apache.spark.sql.delta.util.FileNames.{checksumFile, deltaVersion, isDeltaFile}

import scala.jdk.CollectionConverters._
import scala.util.Try

/** A Delta log on this machine's disk, of which only what is new is looked at.
  *
  * Before each commit, and each read, Delta asks what came after the version it knows. Its own log store looks at every
  * file there is, several times, and then drops the older ones: with a commit a second that is thousands after an hour.
  * Here the names are enough to drop them.
  *
  * Delta keeps a checksum that lies beside a commit already. Where commits were taken back, and only they, that one tells
  * of another commit: here it goes before a new one is written.
  */
class LocalLog(settings: Configuration) extends HDFSLogStore(settings) {
  override def listFrom(from: Path, conf: Configuration): java.util.Iterator[FileStatus] = {
    val folder = from.getParent
    val names = Option(new File(folder.toUri.getPath).list())
      .getOrElse(throw new FileNotFoundException(s"No such file or directory: $folder"))
    val files = from.getFileSystem(conf)
    val wanted = names.filter(name => name >= from.getName && !name.startsWith(".")).sorted
    wanted.iterator.flatMap(name => status(files.getFileStatus(new Path(folder, name)))).asJava
  }

  override def write(commit: Path, lines: java.util.Iterator[String], overwrite: java.lang.Boolean, conf: Configuration): Unit = {
    val files = commit.getFileSystem(conf)
    if (isDeltaFile(commit) && !files.exists(commit)) files.delete(checksumFile(commit.getParent, deltaVersion(commit)), false)
    super.write(commit, lines, overwrite, conf)
  }

  /** None where another process has removed the file since. */
  private def status(look: => FileStatus): Option[FileStatus] =
    Try(Option(look)).recover { case _: FileNotFoundException => None }.get
}
